/* The memtable against a sorted array, and readers beside its one writer. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/pages/memtable.h"
#include "fs/pages/version.h"
#include "tests/sim/rng.h"

#define START UINT64_C(1000)

static void insert(struct pfs_memtable *mt, struct pfs_key key, pfs_lsn lsn, const void *data,
                   uint32_t len)
{
    struct pfs_entry entry = {
        .key = key, .kind = PFS_KIND_VALUE, .len = len, .data = data, .pos = lsn * 10};

    assert_int_equal(pfs_memtable_reserve(mt, &entry, 1), 0);
    pfs_memtable_insert(mt, &entry, lsn);
}

static struct pfs_memtable *create(void)
{
    struct pfs_memtable *mt;

    assert_int_equal(pfs_memtable_create(START, &mt), 0);
    return mt;
}

static void test_memtable__is_empty_at_first(void **state)
{
    struct pfs_memtable *mt = create();
    struct pfs_key first = {0};

    (void)state;
    assert_true(pfs_memtable_start(mt) == START);
    assert_true(pfs_memtable_count(mt) == 0);
    assert_null(pfs_memtable_seek(mt, &first, PFS_LSN_MAX));
    pfs_memtable_destroy(mt);
}

static void test_memtable__a_reader_sees_the_newest_below(void **state)
{
    struct pfs_memtable *mt = create();
    struct pfs_key key = pfs_key(PFS_KEY_INODE, 5, 0), before = pfs_key(PFS_KEY_INODE, 4, 0);

    (void)state;
    for (pfs_lsn lsn = 1010; lsn <= 1050; lsn += 10)
        insert(mt, key, lsn, &lsn, sizeof(lsn));
    for (pfs_lsn at = 1000; at < 1070; at++) {
        const struct pfs_mem_version *v = pfs_memtable_seek(mt, &key, at);

        if (at < 1010) {
            assert_null(v);
            continue;
        }
        assert_true(v->lsn == (at > 1050 ? 1050 : at / 10 * 10));
        assert_memory_equal(v->data, &v->lsn, sizeof(v->lsn));
    }
    assert_true(pfs_memtable_seek(mt, &before, 0)->lsn == 1050);
    pfs_memtable_destroy(mt);
}

static void test_memtable__keeps_values_but_not_pages(void **state)
{
    struct pfs_memtable *mt = create();
    struct pfs_key inode = pfs_key(PFS_KEY_INODE, 1, 0), page = pfs_key(PFS_KEY_PAGE, 1, 0);
    char bytes[] = "some bytes";

    (void)state;
    insert(mt, inode, 2000, bytes, sizeof(bytes));
    insert(mt, page, 2000, bytes, sizeof(bytes));
    memset(bytes, 0, sizeof(bytes));
    assert_string_equal(pfs_memtable_seek(mt, &inode, 2000)->data, "some bytes");
    assert_null(pfs_memtable_seek(mt, &page, 2000)->data);
    assert_true(pfs_memtable_seek(mt, &page, 2000)->pos == 20000);
    pfs_memtable_destroy(mt);
}

static void test_memtable__a_value_larger_than_its_chunks(void **state)
{
    struct pfs_memtable *mt = create();
    struct pfs_key key = pfs_key(PFS_KEY_XATTR, 1, 0);
    size_t before = pfs_memtable_bytes(mt), len = 1 << 20;
    char *bytes = malloc(len);

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'x', len);
    insert(mt, key, 2000, bytes, (uint32_t)len);
    assert_memory_equal(pfs_memtable_seek(mt, &key, 2000)->data, bytes, len);
    assert_true(pfs_memtable_bytes(mt) >= before + len);
    free(bytes);
    pfs_memtable_destroy(mt);
}

/* --- against an array ------------------------------------------------------------------------- */

#define MANY 20000

struct line {
    struct pfs_key key;
    pfs_lsn lsn;
};

static int compare(const void *x, const void *y)
{
    const struct line *a = x, *b = y;

    return pfs_version_cmp(&a->key, a->lsn, &b->key, b->lsn);
}

static struct line some_line(struct rng *rng, pfs_lsn lsn)
{
    static const enum pfs_key_type types[] = {PFS_KEY_INODE, PFS_KEY_DENTRY, PFS_KEY_PAGE};

    return (struct line){pfs_key(types[rng_below(rng, 3)], rng_below(rng, 50), rng_below(rng, 40)),
                         lsn};
}

static void test_memtable__is_in_order(void **state)
{
    struct line *lines = calloc(MANY, sizeof(*lines));
    struct pfs_memtable *mt = create();
    const struct pfs_mem_version *v;
    struct rng rng = rng_make(7);
    struct pfs_key first = {0};

    (void)state;
    assert_non_null(lines);
    for (size_t i = 0; i < MANY; i++) {
        lines[i] = some_line(&rng, START + 1 + i);
        insert(mt, lines[i].key, lines[i].lsn, "", 0);
    }
    qsort(lines, MANY, sizeof(*lines), compare);
    assert_true(pfs_memtable_count(mt) == MANY);
    v = pfs_memtable_seek(mt, &first, PFS_LSN_MAX);
    for (size_t i = 0; i < MANY; i++, v = pfs_memtable_next(v))
        assert_true(pfs_version_cmp(&v->key, v->lsn, &lines[i].key, lines[i].lsn) == 0);
    assert_null(v);
    for (size_t i = 0; i < 5000; i++) {
        struct line wanted = some_line(&rng, START + rng_below(&rng, MANY + 10));
        size_t low = 0, high = MANY;

        while (low < high) {
            size_t mid = (low + high) / 2;

            if (compare(&lines[mid], &wanted) < 0)
                low = mid + 1;
            else
                high = mid;
        }
        v = pfs_memtable_seek(mt, &wanted.key, wanted.lsn);
        assert_int_equal(v == NULL, low == MANY);
        assert_true(!v || compare(&lines[low], &(struct line){v->key, v->lsn}) == 0);
    }
    free(lines);
    pfs_memtable_destroy(mt);
}

/* --- readers beside the writer ---------------------------------------------------------------- */

struct race {
    struct pfs_memtable *mt;
    _Atomic pfs_lsn head;
    atomic_bool wrong;
};

static void *read_on(void *arg)
{
    struct race *race = arg;
    struct rng rng = rng_make(3);
    pfs_lsn head;

    while ((head = race->head) < START + MANY && !race->wrong) {
        struct pfs_key key = pfs_key(PFS_KEY_INODE, head == START ? 0 : (head - START) % 97, 0);
        const struct pfs_mem_version *v = pfs_memtable_seek(race->mt, &key, head);

        /* Key n is written at every LSN that leaves n: the last one below head must be seen. */
        if (head > START && (!v || pfs_key_cmp(&v->key, &key) != 0 || v->lsn != head))
            race->wrong = true;
        key.a = rng_below(&rng, 97);
        for (int i = 0; i < 20 && v; i++) {
            const struct pfs_mem_version *next = pfs_memtable_next(v);

            if (next && pfs_version_cmp(&v->key, v->lsn, &next->key, next->lsn) >= 0)
                race->wrong = true;
            v = next;
        }
    }
    return NULL;
}

static void test_memtable__readers_need_no_lock(void **state)
{
    struct race race = {.mt = create(), .head = START};
    pthread_t readers[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &race), 0);
    for (pfs_lsn lsn = START + 1; lsn <= START + MANY; lsn++) {
        insert(race.mt, pfs_key(PFS_KEY_INODE, (lsn - START) % 97, 0), lsn, &lsn, sizeof(lsn));
        race.head = lsn;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    assert_false(race.wrong);
    pfs_memtable_destroy(race.mt);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memtable__is_empty_at_first),
        cmocka_unit_test(test_memtable__a_reader_sees_the_newest_below),
        cmocka_unit_test(test_memtable__keeps_values_but_not_pages),
        cmocka_unit_test(test_memtable__a_value_larger_than_its_chunks),
        cmocka_unit_test(test_memtable__is_in_order),
        cmocka_unit_test(test_memtable__readers_need_no_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
