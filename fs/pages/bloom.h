/* The filter of a layer: a split-block Bloom filter, part of the layer's format.
 *
 * It is an array of blocks of 256 bits, eight little-endian words of 32. A key belongs to one
 * block and sets one bit in each of its words, so a query touches one cache line:
 *
 *     hash   XXH3, 64 bits, seed 0, of three 64-bit little-endian numbers: type, a, b
 *     block  (hash >> 32) * blocks >> 32
 *     bit    of word i: (hash's low half * salt[i], 32 bits) >> 27
 *
 * At 12 bits a key about 0.6 % of the absent keys are taken for present. b counts without its low
 * two bits for dentries and attributes: names are looked up in groups of four slots.
 *
 * Source: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007, in the
 * form and with the salts that Apache Parquet uses. */
#ifndef PFS_PAGES_BLOOM_H
#define PFS_PAGES_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wal/key.h"

#define PFS_BLOOM_BLOCK_BYTES  32
#define PFS_BLOOM_BITS_PER_KEY 12

/* What the filter knows a key by. */
uint64_t pfs_bloom_hash(const struct pfs_key *key);

/* Bytes of a filter for this many keys: a multiple of PFS_BLOOM_BLOCK_BYTES, 0 for none. */
uint64_t pfs_bloom_bytes(uint64_t keys);

/* Add a hash to the filter in bits[0..len_bytes), which was all zeros at first. */
void pfs_bloom_add(unsigned char *bits, size_t len_bytes, uint64_t hash);

/* False if it was never added; always false if the filter has no bytes. */
bool pfs_bloom_may_have(const unsigned char *bits, size_t len_bytes, uint64_t hash);

#endif
