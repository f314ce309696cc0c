/* SPDX-License-Identifier: Apache-2.0 */
/* `cairn data split` of files whose records are lines (tables, sparse tables, texts), and of
 * folders of images. */
#ifndef CAIRN_CLI_DATA_SPLIT_H
#define CAIRN_CLI_DATA_SPLIT_H

#include "base/options.h"
#include "data/source.h"

#define DATA_SPLIT_PARTS_MAX 256u /* files that are open at a time */

/* Splits a csv, tsv, libsvm or text source by the verb's options. Records keep their order and stay
 * as they are; a text without labels is cut into stretches of equal numbers of lines. */
int data_split_lines(const struct cn_args *args, const struct data_source *source);

/* Splits a folder of images: DIR/part-1/CLASS/FILE and so on are copies of the files, which keep
 * their names. No part may be there before. */
int data_split_images(const struct cn_args *args, const struct data_source *source);

/* What is dealt: n examples of labels y [n] below classes. */
struct data_split_deal {
    const uint32_t *y;
    size_t n;
    uint32_t classes, parts;
};

/* Deals by the verb's --seed and --dirichlet; owner [n], out. CN_E_CONFIG for more parts than
 * examples; errors of split_iid and split_dirichlet. */
enum cn_err data_split_deal(uint32_t *owner, const struct data_split_deal *deal,
                            const struct cn_args *args, struct cn_diag *diag);

#endif
