/* SPDX-License-Identifier: Apache-2.0 */
/* The program `cairn-aggregator`. */
#include "aggregator/commands.h"
#include "base/options.h"

int main(int argc, char **argv)
{
    return cn_options_main(commands_program(), argc, argv);
}
