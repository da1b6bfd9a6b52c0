/* Errors: the table, errno there and back, messages that are put in front of each other; and the
 * buffer that is part of the same room. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/buf.h"
#include "base/err.h"

static void test_err__each_has_name_text_and_errno(void **state)
{
    (void)state;
    for (int err = -1; err > PFS_ERR_LIMIT; err--) {
        assert_int_equal(pfs_err_name(err)[0], 'E');
        assert_true(strlen(pfs_err_text(err)) > 3);
        assert_true(pfs_err_errno(err) > 0);
        for (int other = err + 1; other < 0; other++)
            assert_string_not_equal(pfs_err_name(err), pfs_err_name(other));
    }
    assert_string_equal(pfs_err_name(0), "OK");
    assert_int_equal(pfs_err_errno(0), 0);
}

static void test_err__unknown_codes_are_internal_errors(void **state)
{
    (void)state;
    assert_string_equal(pfs_err_name(PFS_ERR_LIMIT), "EINTERNAL");
    assert_string_equal(pfs_err_name(1), "EINTERNAL");
    assert_string_equal(pfs_err_name(-12345), "EINTERNAL");
}

static void test_err__errno_there_and_back(void **state)
{
    static const int same[] = {ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL,
                               ENOSPC, EMLINK, ENODATA, ERANGE, ENXIO,     EACCES,
                               EROFS,  ENOMEM, EIO,     EBUSY,  EFBIG,     ENAMETOOLONG};

    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        assert_int_equal(pfs_err_errno(pfs_err_from_errno(same[i])), same[i]);
    assert_int_equal(pfs_err_from_errno(EDQUOT), PFS_ENOSPC);
    assert_int_equal(pfs_err_from_errno(EIO), PFS_EIO);
    assert_int_equal(pfs_err_from_errno(EPIPE), PFS_EIO);
    assert_int_not_equal(pfs_err_from_errno(0), 0);
}

static void test_err__message_names_what_and_why(void **state)
{
    int err = pfs_fail_errno(ENOSPC, "cannot write %s", "file");

    (void)state;
    assert_int_equal(err, PFS_ENOSPC);
    assert_string_equal(pfs_err_message(), "cannot write file: No space left on device");
    assert_int_equal(pfs_context(err, "volume %d", 7), PFS_ENOSPC);
    assert_string_equal(pfs_err_message(), "volume 7: cannot write file: No space left on device");
}

static void test_err__long_messages_are_cut(void **state)
{
    char text[3000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)pfs_fail(PFS_EIO, "%s", text);
    assert_in_range(strlen(pfs_err_message()), 500, 2000);
    (void)pfs_context(PFS_EIO, "%s", text);
    assert_in_range(strlen(pfs_err_message()), 500, 2000);
}

static void *fail_elsewhere(void *arg)
{
    (void)pfs_fail(PFS_EIO, "elsewhere");
    return arg;
}

static void test_err__message_is_the_threads_own(void **state)
{
    pthread_t thread;

    (void)state;
    (void)pfs_fail(PFS_EIO, "here");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    pthread_join(thread, NULL);
    assert_string_equal(pfs_err_message(), "here");
}

static void test_buf__grows_to_its_maximum_and_no_further(void **state)
{
    struct pfs_buf buf;

    (void)state;
    pfs_buf_init(&buf, 1000);
    for (int i = 0; i < 10; i++)
        assert_int_equal(pfs_buf_add(&buf,
                                     "0123456789012345678901234567890123456789012345678901"
                                     "23456789012345678901234567890123456789012345678",
                                     100),
                         0);
    assert_int_equal(buf.len, 1000);
    assert_int_equal(pfs_buf_add(&buf, "x", 1), PFS_ENOMEM);
    assert_int_equal(pfs_buf_reserve(&buf, SIZE_MAX), PFS_ENOMEM);
    assert_null(pfs_buf_extend(&buf, 1));
    assert_int_equal(buf.len, 1000);
    pfs_buf_release(&buf);
    assert_int_equal(pfs_buf_add(&buf, NULL, 0), 0);
    memset(pfs_buf_extend(&buf, 8), 1, 8);
    assert_int_equal(buf.len, 8);
    pfs_buf_release(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_err__each_has_name_text_and_errno),
        cmocka_unit_test(test_err__unknown_codes_are_internal_errors),
        cmocka_unit_test(test_err__errno_there_and_back),
        cmocka_unit_test(test_err__message_names_what_and_why),
        cmocka_unit_test(test_err__long_messages_are_cut),
        cmocka_unit_test(test_err__message_is_the_threads_own),
        cmocka_unit_test(test_buf__grows_to_its_maximum_and_no_further),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
