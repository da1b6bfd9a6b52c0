#include "fs/pages/bloom.h"

#include <assert.h>

#include "base/bytes.h"
#include "base/checksum.h"

static const uint32_t salt[8] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                 0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

uint64_t pfs_bloom_hash(const struct pfs_key *key)
{
    bool name = key->type == PFS_KEY_DENTRY || key->type == PFS_KEY_XATTR;
    unsigned char bytes[24];

    pfs_put64(bytes, key->type);
    pfs_put64(bytes + 8, key->a);
    pfs_put64(bytes + 16, name ? key->b & ~UINT64_C(3) : key->b);
    return pfs_hash(bytes, sizeof(bytes), 0);
}

uint64_t pfs_bloom_bytes(uint64_t keys)
{
    const uint64_t block_bits = PFS_BLOOM_BLOCK_BYTES * 8;

    /* A number that is no count of anything we hold gives a length that no file has. */
    if (keys > UINT64_MAX / PFS_BLOOM_BITS_PER_KEY - block_bits)
        return UINT64_MAX;
    return (keys * PFS_BLOOM_BITS_PER_KEY + block_bits - 1) / block_bits * PFS_BLOOM_BLOCK_BYTES;
}

static size_t block_offset(size_t len_bytes, uint64_t hash)
{
    uint64_t blocks = len_bytes / PFS_BLOOM_BLOCK_BYTES;

    assert(blocks < UINT32_MAX);
    return (size_t)((hash >> 32) * blocks >> 32) * PFS_BLOOM_BLOCK_BYTES;
}

void pfs_bloom_add(unsigned char *bits, size_t len_bytes, uint64_t hash)
{
    unsigned char *block = bits + block_offset(len_bytes, hash);

    assert(len_bytes >= PFS_BLOOM_BLOCK_BYTES);
    for (int i = 0; i < 8; i++) {
        uint32_t bit = UINT32_C(1) << ((uint32_t)hash * salt[i] >> 27);

        pfs_put32(block + i * 4, pfs_get32(block + i * 4) | bit);
    }
}

bool pfs_bloom_may_have(const unsigned char *bits, size_t len_bytes, uint64_t hash)
{
    const unsigned char *block;
    uint32_t missing = 0;

    if (len_bytes == 0)
        return false;
    block = bits + block_offset(len_bytes, hash);
    for (int i = 0; i < 8; i++)
        missing |= ~pfs_get32(block + i * 4) & UINT32_C(1) << ((uint32_t)hash * salt[i] >> 27);
    return missing == 0;
}
