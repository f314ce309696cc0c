/* SPDX-License-Identifier: Apache-2.0 */
/* The program `cairn-client`. */
#include "base/options.h"
#include "client/commands.h"

int main(int argc, char **argv)
{
    return cn_options_main(commands_program(), argc, argv);
}
