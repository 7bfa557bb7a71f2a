/* jpeg_drawer.h: JPEGs made of random coefficients, as no encoder of pixels writes them. */
#ifndef FC_TEST_JPEG_DRAWER_H
#define FC_TEST_JPEG_DRAWER_H

#include "jpeg_maker.h"
#include "random.h"

/* How coefficients are drawn: of 64, this many are not 0, with at most so many bits. */
typedef struct density {
  int coefficients, bits;
} density;

static inline JCOEF random_value(int bits) {
  const int value = random_below(1 << (1 + random_below(bits)));
  return (JCOEF)(random_below(2) ? value : -value);
}

static inline void draw_block(JCOEF *block, density d) {
  memset(block, 0, sizeof(JBLOCK));
  block[0] = random_value(d.bits);
  for (int i = random_below(d.coefficients + 1); i > 0; i--) {
    const int at = 1 + random_below(DCTSIZE2 - 1);
    block[at] = random_value(d.bits);
  }
  if (d.coefficients == DCTSIZE2) /* all of them: nothing says that the block ends */
    for (int i = 1; i < DCTSIZE2; i++) block[i] = (JCOEF)(block[i] ? block[i] : 1);
}

static inline void draw_component(struct jpeg_compress_struct *cinfo, jvirt_barray_ptr blocks,
                                  const jpeg_component_info *component, density d) {
  for (JDIMENSION y = 0; y < component->height_in_blocks; y++) {
    JBLOCKARRAY row = cinfo->mem->access_virt_barray((j_common_ptr)cinfo, blocks, y, 1, TRUE);
    for (JDIMENSION x = 0; x < component->width_in_blocks; x++) draw_block(row[0][x], d);
  }
}

/* A code for all symbols from 0 on, of any shape: leaves of a tree that are split at random, and
 * some of the time all longer than they need to be, so that some bits are no code. */
static inline void draw_code(JHUFF_TBL *table, int symbols) {
  int leaves[17] = {[0] = 1};                      /* of each length */
  for (int count = 1; count <= symbols; count++) { /* one more, as none may be all ones */
    int length = random_below(16);
    while (leaves[length] == 0) length = (length + 1) % 16;
    leaves[length]--;
    leaves[length + 1] += 2;
  }
  int longest = 16;
  while (leaves[longest] == 0) longest--;
  leaves[longest]--;
  const int longer = random_below(2) ? random_below(17 - longest) : 0;
  memset(table->bits, 0, sizeof table->bits);
  for (int length = 1; length <= longest; length++)
    table->bits[length + longer] = (UINT8)leaves[length];
  for (int i = 0; i < symbols; i++) {
    const int other = random_below(i + 1);
    table->huffval[i] = table->huffval[other];
    table->huffval[other] = (UINT8)i;
  }
  table->sent_table = FALSE;
}

/* Coefficients of any size anywhere, with Huffman tables made for them or drawn as well: codes of
 * up to 16 bits, long runs, full blocks.  The caller frees .data. */
static inline jpeg_file draw_jpeg(const jpeg_kind *kind, int height, int width, density d) {
  struct jpeg_compress_struct cinfo = {0};
  struct jpeg_error_mgr errors;
  jpeg_scan_info scans[4];
  jpeg_file file = {NULL, 0};
  jvirt_barray_ptr blocks[4];
  cinfo.err = jpeg_std_error(&errors);
  jpeg_create_compress(&cinfo);
  jpeg_mem_dest(&cinfo, &file.data, &file.size);
  start_jpeg(&cinfo, kind, height, width, 50, scans);
  cinfo.optimize_coding = random_below(2);
  for (int i = 0; i < 2 && !cinfo.optimize_coding; i++) {
    draw_code(cinfo.dc_huff_tbl_ptrs[i], 12);
    draw_code(cinfo.ac_huff_tbl_ptrs[i], 255);
  }
  int h = 1, v = 1; /* the largest sampling factors */
  for (int c = 0; c < kind->components; c++) {
    if (cinfo.comp_info[c].h_samp_factor > h) h = cinfo.comp_info[c].h_samp_factor;
    if (cinfo.comp_info[c].v_samp_factor > v) v = cinfo.comp_info[c].v_samp_factor;
  }
  for (int c = 0; c < kind->components; c++) {
    jpeg_component_info *component = &cinfo.comp_info[c];
    const int across = (width + 8 * h - 1) / (8 * h), down = (height + 8 * v - 1) / (8 * v);
    component->width_in_blocks = (JDIMENSION)(across * component->h_samp_factor);
    component->height_in_blocks = (JDIMENSION)(down * component->v_samp_factor);
    blocks[c] = cinfo.mem->request_virt_barray(
        (j_common_ptr)&cinfo, JPOOL_IMAGE, TRUE, component->width_in_blocks,
        component->height_in_blocks, (JDIMENSION)component->v_samp_factor);
  }
  jpeg_write_coefficients(&cinfo, blocks);
  cinfo.mem->realize_virt_arrays((j_common_ptr)&cinfo);
  for (int c = 0; c < kind->components; c++)
    draw_component(&cinfo, blocks[c], &cinfo.comp_info[c], d);
  jpeg_finish_compress(&cinfo);
  jpeg_destroy_compress(&cinfo);
  return file;
}

static inline density random_density(void) {
  static const density densities[] = {{0, 1},  {0, 10}, {2, 3},  {5, 10}, {20, 2},
                                      {20, 6}, {40, 9}, {64, 1}, {64, 4}, {64, 10}};
  return densities[random_below(sizeof densities / sizeof *densities)];
}

#endif
