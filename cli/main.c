/* SPDX-License-Identifier: Apache-2.0 */
/* The program `cairn`. */
#include "cli/verbs.h"

int main(int argc, char **argv)
{
    return cn_options_main(cli_program(), argc, argv);
}
