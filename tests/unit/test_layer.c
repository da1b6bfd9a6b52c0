#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "fs/pages/layer_format.h"
#include "fs/pages/layer_impl.h"
#include "tests/lib/layer_model.h"
#include "tests/lib/memio.h"

struct fixture {
    struct pfs_io *io;
    struct pfs_block_cache *cache;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (!f || pfs_block_cache_create(1 << 20, &f->cache))
        return -1;
    f->io = memio_create();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pfs_block_cache_destroy(f->cache);
    f->io->ops->destroy(f->io);
    free(f);
    return 0;
}

/* Write the model, open it and see that all of it is there. */
static struct pfs_layer *write_and_open(struct fixture *f, const struct model *m)
{
    struct pfs_layer_info info;
    struct pfs_layer *layer;
    size_t wrong;

    assert_int_equal(model_write(m, f->io, "l", &info), 0);
    assert_int_equal(info.entries, m->count);
    assert_int_equal(pfs_layer_open(f->io, "l", &info, f->cache, &layer), 0);
    assert_memory_equal(pfs_layer_info(layer), &info, sizeof(info));
    assert_string_equal(pfs_layer_name(layer), "l");
    assert_int_equal(model_compare(m, layer, &wrong), 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(pfs_layer_verify(layer, NULL, NULL), 0);
    return layer;
}

static void close_and_unlink(struct fixture *f, struct pfs_layer *layer)
{
    pfs_layer_close(layer);
    assert_int_equal(f->io->ops->unlink(f->io, "l"), 0);
}

static void seek_and_compare(struct pfs_layer_cursor *cur, const struct model *m,
                             const struct pfs_key *key, pfs_lsn lsn)
{
    size_t want = model_seek(m, key, lsn);

    assert_int_equal(pfs_layer_cursor_seek(cur, key, lsn), 0);
    for (int steps = 0; steps < 3 && want < m->count; steps++, want++) {
        assert_true(cur->valid);
        assert_true(model_same(&cur->at, &m->v[want]));
        assert_int_equal(pfs_layer_cursor_next(cur), 0);
    }
    if (want == m->count)
        assert_false(cur->valid);
}

static void test_layer__empty_one_has_nothing(void **state)
{
    struct fixture *f = *state;
    struct model m = {0};
    struct pfs_layer *layer = write_and_open(f, &m);
    struct pfs_key key = pfs_key(PFS_KEY_PAGE, 1, 1);
    struct pfs_layer_cursor cur;

    assert_int_equal(pfs_layer_info(layer)->size_bytes,
                     PFS_LAYER_HEADER_BYTES + PFS_LAYER_FOOTER_BYTES);
    assert_false(pfs_layer_may_have(layer, &key));
    pfs_layer_cursor_init(&cur, layer);
    assert_int_equal(pfs_layer_cursor_seek(&cur, &key, 1), 0);
    assert_false(cur.valid);
    pfs_layer_cursor_release(&cur);
    close_and_unlink(f, layer);
}

static void test_layer__agrees_with_a_sorted_array(void **state)
{
    static const struct {
        size_t count;
        uint32_t max_len;
    } shapes[] = {{1, 10}, {2, 0}, {40, 9000}, {3000, 0}, {2500, 300}, {700, 8192}, {60, 131072}};
    struct fixture *f = *state;
    uint64_t seed = 1;

    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        struct model m = model_create(s + 1, shapes[s].count, shapes[s].max_len);
        struct pfs_layer *layer = write_and_open(f, &m);
        struct pfs_layer_cursor cur;

        pfs_layer_cursor_init(&cur, layer);
        for (size_t i = 0; i < m.count; i++) { /* what is there, and just beside it */
            struct pfs_key key = m.v[i].key;

            assert_true(pfs_layer_may_have(layer, &key));
            seek_and_compare(&cur, &m, &key, m.v[i].lsn);
            seek_and_compare(&cur, &m, &key, m.v[i].lsn + 1);
            seek_and_compare(&cur, &m, &key, m.v[i].lsn - 1);
        }
        for (int i = 0; i < 2000; i++) { /* and at random */
            struct pfs_key key = m.v[model_random(&seed) % m.count].key;

            key.b += model_random(&seed) % 3 - 1;
            key.type += (uint8_t)(model_random(&seed) % 5 == 0);
            seek_and_compare(&cur, &m, &key, 990 + model_random(&seed) % 1020);
        }
        pfs_layer_cursor_release(&cur);
        close_and_unlink(f, layer);
        model_release(&m);
    }
}

static void test_layer__holds_the_largest_value_and_no_larger(void **state)
{
    struct fixture *f = *state;
    struct pfs_layer_info info = model_info();
    struct pfs_layer_writer *w;
    struct model m = {0};

    for (int packs = 0; packs < 2; packs++)
        for (pfs_lsn lsn = 1009; lsn > 1000; lsn -= 4)
            model_add(&m, pfs_key(PFS_KEY_PAGE, 1, (uint64_t)packs), lsn, PFS_KIND_VALUE,
                      lsn == 1005 ? 1 : PFS_LAYER_VALUE_MAX, packs);
    pfs_layer_close(write_and_open(f, &m));

    m.v[0].len = PFS_LAYER_VALUE_MAX + 1;
    assert_int_equal(pfs_layer_writer_create(f->io, "long", &info, &w), 0);
    assert_int_equal(pfs_layer_writer_add(w, &m.v[0]), PFS_EINVAL);
    pfs_layer_writer_destroy(w);
    model_release(&m);
}

static void test_layer__packs_what_can_be_packed(void **state)
{
    struct fixture *f = *state;

    for (int packs = 0; packs < 2; packs++) {
        struct model m = {0};
        struct pfs_layer *layer;

        for (uint64_t b = 0; b < 100; b++)
            model_add(&m, pfs_key(PFS_KEY_PAGE, 1, b), 1500, PFS_KIND_VALUE, 8192, packs);
        layer = write_and_open(f, &m);
        assert_int_equal(layer->footer.blocks, 25); /* four pages in a block */
        for (uint32_t i = 0; i < layer->footer.blocks; i++) {
            const struct pfs_layer_index *e = &layer->index[i];

            assert_true(packs ? e->stored_len < e->raw_len / 4 : e->stored_len == e->raw_len);
        }
        assert_true(pfs_layer_memory(layer) < 4096);
        close_and_unlink(f, layer);
        model_release(&m);
    }
}

static void test_layer__filter_is_rarely_wrong(void **state)
{
    struct fixture *f = *state;
    struct model m = {0};
    struct pfs_layer *layer;
    struct pfs_key name = pfs_key(PFS_KEY_DENTRY, 5, 8), other = pfs_key(PFS_KEY_DENTRY, 5, 11);
    unsigned wrong = 0;

    model_add(&m, name, 1500, PFS_KIND_VALUE, 0, true);
    for (uint64_t b = 0; b < 5000; b++)
        for (pfs_lsn lsn = 1500; lsn > 1498; lsn--)
            model_add(&m, pfs_key(PFS_KEY_PAGE, 1, b), lsn, PFS_KIND_VALUE, 10, true);
    layer = write_and_open(f, &m);
    assert_int_equal(layer->footer.keys, 5001);
    assert_true(pfs_layer_may_have(layer, &other)); /* of the same group of names */
    for (uint64_t b = 5000; b < 15000; b++) {
        struct pfs_key key = pfs_key(PFS_KEY_PAGE, 1, b);

        wrong += pfs_layer_may_have(layer, &key);
    }
    assert_in_range(wrong, 1, 150);
    close_and_unlink(f, layer);
    model_release(&m);
}

/* Everything that can fail, fails once at each place it is called. */
static void test_layer__writer_reports_failing_io(void **state)
{
    static const int errors[] = {PFS_ENOSPC, PFS_EIO};
    struct fixture *f = *state;
    struct model m = model_create(3, 3000, 8192);
    struct pfs_layer_info info;
    unsigned at = 0;

    for (int lasting = 0; lasting < 2; lasting++)
        for (int e = 0; e < 2; e++) {
            for (at = 1;; at++) {
                int err;

                memio_fail_at(f->io, at, errors[e], lasting);
                err = model_write(&m, f->io, "l", &info);
                if (!memio_failed(f->io))
                    break;
                assert_int_equal(err, errors[e]);
                assert_non_null(strstr(pfs_err_message(), "l: "));
                memio_fail_at(f->io, 0, 0, false);
                (void)!f->io->ops->unlink(f->io, "l");
            }
            memio_fail_at(f->io, 0, 0, false);
            assert_true(at > 5);
            assert_int_equal(f->io->ops->unlink(f->io, "l"), 0);
        }
    model_release(&m);
}

static void test_layer__writer_stays_failed(void **state)
{
    struct fixture *f = *state;
    struct model m = model_create(6, 3000, 8192);
    struct pfs_layer_info info = model_info();
    struct pfs_layer_writer *w;
    size_t i = 0;
    int err = 0;

    assert_int_equal(pfs_layer_writer_create(f->io, "l", &info, &w), 0);
    assert_int_equal(pfs_layer_writer_create(f->io, "l", &info, &(struct pfs_layer_writer *){0}),
                     PFS_EEXIST);
    memio_fail_at(f->io, 1, PFS_ENOSPC, false);
    while (i < m.count && !err)
        err = pfs_layer_writer_add(w, &m.v[i++]);
    assert_int_equal(err, PFS_ENOSPC);
    assert_int_equal(pfs_layer_writer_add(w, &m.v[i]), PFS_ENOSPC);
    assert_int_equal(pfs_layer_writer_finish(w, &info), PFS_ENOSPC);
    pfs_layer_writer_destroy(w);
    model_release(&m);
}

static int read_all(struct fixture *f, const struct model *m, const struct pfs_layer_info *info)
{
    struct pfs_layer *layer;
    size_t wrong = 0;
    int err = pfs_layer_open(f->io, "l", info, f->cache, &layer);

    if (err)
        return err;
    err = model_compare(m, layer, &wrong);
    assert_int_equal(wrong, 0);
    if (!err)
        err = pfs_layer_verify(layer, NULL, NULL);
    pfs_layer_close(layer);
    return err;
}

static void test_layer__reader_reports_failing_io(void **state)
{
    struct fixture *f = *state;
    struct model m = model_create(4, 300, 8192);
    struct pfs_layer_info info;
    unsigned at;

    assert_int_equal(model_write(&m, f->io, "l", &info), 0);
    for (at = 1;; at++) {
        int err;

        memio_fail_at(f->io, at, PFS_EIO, false);
        err = read_all(f, &m, &info);
        if (!memio_failed(f->io))
            break;
        assert_int_equal(err, PFS_EIO);
    }
    assert_true(at > 20);
    memio_fail_at(f->io, 0, 0, false);
    assert_int_equal(read_all(f, &m, &info), 0); /* what failed was not kept */
    model_release(&m);
}

struct reader {
    struct pfs_layer *layer;
    const struct model *m;
    uint64_t seed;
    unsigned wrong;
};

static void *read_at_random(void *arg)
{
    struct reader *r = arg;
    struct pfs_layer_cursor cur;

    pfs_layer_cursor_init(&cur, r->layer);
    for (int i = 0; i < 3000; i++) {
        const struct pfs_version *v = &r->m->v[model_random(&r->seed) % r->m->count];

        if (!pfs_layer_may_have(r->layer, &v->key) ||
            pfs_layer_cursor_seek(&cur, &v->key, v->lsn) || !cur.valid || !model_same(&cur.at, v))
            r->wrong++;
    }
    pfs_layer_cursor_release(&cur);
    return NULL;
}

static void test_layer__many_threads_read_one(void **state)
{
    struct fixture *f = *state;
    struct model m = model_create(5, 700, 8192); /* twice what the cache holds */
    struct pfs_layer *layer = write_and_open(f, &m);
    struct reader readers[4];
    pthread_t threads[4];

    for (int i = 0; i < 4; i++) {
        readers[i] = (struct reader){.layer = layer, .m = &m, .seed = (uint64_t)i};
        assert_int_equal(pthread_create(&threads[i], NULL, read_at_random, &readers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(readers[i].wrong, 0);
    }
    close_and_unlink(f, layer);
    model_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_layer__empty_one_has_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layer__agrees_with_a_sorted_array, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layer__holds_the_largest_value_and_no_larger, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_layer__packs_what_can_be_packed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layer__filter_is_rarely_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layer__writer_reports_failing_io, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layer__writer_stays_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layer__reader_reports_failing_io, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layer__many_threads_read_one, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
