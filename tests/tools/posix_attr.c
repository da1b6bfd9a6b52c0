/* Attributes: permissions, owners, the bits that go by writing, times, extended attributes. */
#include "tests/tools/posix.h"

#include <limits.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

static void change_as_owner(void)
{
    MUST(chmod("mine", 0640) == 0 && chown("mine", (uid_t)-1, USER) == 0);
    MUST(utimensat(AT_FDCWD, "mine", NULL, 0) == 0);
    FAILS(EPERM, chown("mine", OTHER, (gid_t)-1));
    FAILS(EPERM, chown("mine", (uid_t)-1, OTHER));
    FAILS(EPERM, chmod("root", 0777));
    FAILS(EPERM, chown("root", USER, USER));
    FAILS(EACCES, open("root", O_RDONLY));
    FAILS(EACCES, truncate("root", 0));
    FAILS(EACCES, utimensat(AT_FDCWD, "root", NULL, 0));
    FAILS(EACCES, open("closed/x", O_RDONLY));
    FAILS(EACCES, mkdir("readable/x", 0700));
    FAILS(EACCES, unlink("readable/f"));
    FAILS(EACCES, rename("readable/f", "mine"));
    FAILS(EPERM, mknod("open/dev", S_IFCHR | 0600, 0x103));
    MUST(mkdir("open/d", 0700) == 0 && look("open/d").st_uid == USER);
    MUST(look("open/d").st_gid == USER);
    /* Only root keeps sgid for a group that it isn't in. */
    MUST(chmod("grouped", 02755) == 0 && look("grouped").st_mode == (S_IFREG | 0755));
}

static void permissions(void)
{
    MUST(chmod(".", 0777) == 0 && mkdir("open", 0777) == 0 && chmod("open", 0777) == 0);
    MUST(mkdir("closed", 0700) == 0 && mkdir("readable", 0755) == 0);
    touch("closed/x", 0666);
    touch("readable/f", 0666);
    touch("root", 0600);
    touch("mine", 0600);
    touch("grouped", 0600);
    MUST(chown("mine", USER, USER) == 0 && chown("grouped", USER, OTHER) == 0);
    as(USER, USER, change_as_owner);
    MUST(look("mine").st_mode == (S_IFREG | 0640));
}

static void in_sticky_directory(void)
{
    FAILS(EPERM, unlink("sticky/root"));
    FAILS(EPERM, rename("sticky/root", "sticky/new"));
    FAILS(EPERM, rename("sticky/mine", "sticky/root"));
    FAILS(EPERM, rmdir("sticky/dir"));
    MUST(rename("sticky/mine", "sticky/mine2") == 0 && unlink("sticky/mine2") == 0);
}

static void sticky(void)
{
    MUST(mkdir("sticky", 0777) == 0 && chmod("sticky", 01777) == 0);
    touch("sticky/root", 0666);
    touch("sticky/mine", 0666);
    MUST(mkdir("sticky/dir", 0777) == 0 && chown("sticky/mine", USER, USER) == 0);
    as(USER, USER, in_sticky_directory);
}

static mode_t bits(void)
{
    return look("x").st_mode & 07777;
}

/* A program with suid and sgid that everyone may write to. */
static void anew(void)
{
    unlink("x");
    put("x", "0123456789");
    MUST(chown("x", 0, 0) == 0 && chmod("x", 06777) == 0 && bits() == 06777);
}

static void write_it(void)
{
    int fd = open("x", O_WRONLY);

    MUST(fd >= 0 && write(fd, "", 0) == 0 && bits() == 06777);
    MUST(write(fd, "a", 1) == 1 && bits() == 0777);
}

static void append_it(void)
{
    int fd = open("x", O_WRONLY | O_APPEND);

    MUST(fd >= 0 && write(fd, "a", 1) == 1 && bits() == 0777);
}

static void truncate_it(void)
{
    MUST(truncate("x", 3) == 0 && bits() == 0777);
}

static void open_truncate_it(void)
{
    MUST(open("x", O_WRONLY | O_TRUNC) >= 0 && bits() == 0777);
}

static void allocate_it(void)
{
    MUST(fallocate(open("x", O_WRONLY), 0, 0, 100) == 0 && bits() == 0777);
}

static void read_it(void)
{
    char c;

    MUST(read(open("x", O_RDONLY), &c, 1) == 1 && bits() == 06777);
}

static void privileges(void)
{
    void (*const kills[])(void) = {write_it, append_it, truncate_it, open_truncate_it, allocate_it};

    MUST(chmod(".", 0777) == 0);
    for (size_t i = 0; i < sizeof(kills) / sizeof(kills[0]); i++) {
        anew();
        as(USER, USER, kills[i]);
    }
    anew();
    as(USER, USER, read_it);
    /* Root may keep them, but not when the owner changes. */
    MUST(write(open("x", O_WRONLY), "r", 1) == 1 && bits() == 06777);
    MUST(chown("x", USER, USER) == 0 && bits() == 0777);
}

static void capabilities(void)
{
    static const unsigned char caps[20] = {1, 0, 0, 2, 0, 4};
    char name[64];

    touch("x", 0755);
    for (int i = 0; i < 3; i++) {
        MUST(setxattr("x", "security.capability", caps, sizeof(caps), 0) == 0);
        MUST(getxattr("x", "security.capability", name, sizeof(name)) == 20);
        if (i == 0)
            MUST(pwrite(open("x", O_WRONLY), "r", 1, 0) == 1);
        else
            MUST(i == 1 ? truncate("x", 5) == 0 : chown("x", USER, USER) == 0);
        FAILS(ENODATA, (int)getxattr("x", "security.capability", name, sizeof(name)));
    }
    MUST(listxattr("x", NULL, 0) == 0);
}

static void make_in_sgid_directory(void)
{
    umask(0);
    MUST(close(open("d/f", O_CREAT | O_WRONLY, 02775)) == 0 && mkdir("d/e", 0777) == 0);
    MUST(look("d/f").st_gid == OTHER && look("d/f").st_mode == (S_IFREG | 0775));
    MUST(look("d/e").st_gid == OTHER && look("d/e").st_mode == (S_IFDIR | 02777));
}

static void inherited_group(void)
{
    MUST(chmod(".", 0777) == 0 && mkdir("d", 0777) == 0 && chown("d", 0, OTHER) == 0);
    MUST(chmod("d", 02777) == 0);
    as(USER, USER, make_in_sgid_directory);
    MUST(chown("d", USER, OTHER) == 0 && look("d").st_mode == (S_IFDIR | 02777));
}

static void modes(void)
{
    static const mode_t masks[] = {0, 022, 077, 0777};

    for (size_t i = 0; i < 4; i++) {
        umask(masks[i]);
        MUST(close(open("f", O_CREAT | O_WRONLY, 0777)) == 0 && mkdir("d", 0777) == 0);
        MUST(mkfifo("p", 0777) == 0 && symlink("x", "s") == 0);
        MUST((look("f").st_mode & 0777) == (0777 & ~masks[i]));
        MUST((look("d").st_mode & 0777) == (0777 & ~masks[i]));
        MUST((look("p").st_mode & 0777) == (0777 & ~masks[i]) && look("s").st_mode == 0120777);
        MUST(unlink("f") == 0 && rmdir("d") == 0 && unlink("p") == 0 && unlink("s") == 0);
    }
}

static struct timespec *times(time_t a, long a_ns, time_t m, long m_ns)
{
    static struct timespec t[2];

    t[0] = (struct timespec){a, a_ns};
    t[1] = (struct timespec){m, m_ns};
    return t;
}

static void setting_times(void)
{
    static const time_t when[] = {0, 1, -1, -2208988800, 2147483648, 4294967296, 7258118400};
    struct stat before, st;

    touch("f", 0600);
    for (size_t i = 0; i < sizeof(when) / sizeof(when[0]); i++) {
        MUST(utimensat(AT_FDCWD, "f", times(when[i], 999999999, when[i], 1), 0) == 0);
        st = look("f");
        MUST(st.st_atim.tv_sec == when[i] && st.st_atim.tv_nsec == 999999999);
        MUST(st.st_mtim.tv_sec == when[i] && st.st_mtim.tv_nsec == 1);
    }
    before = look("f");
    tick();
    MUST(utimensat(AT_FDCWD, "f", times(0, UTIME_OMIT, 0, UTIME_OMIT), 0) == 0);
    MUST(same_time(look("f").st_ctim, before.st_ctim));
    MUST(utimensat(AT_FDCWD, "f", times(5, 6, 0, UTIME_OMIT), 0) == 0);
    st = look("f");
    MUST(st.st_atim.tv_sec == 5 && same_time(st.st_mtim, before.st_mtim));
    MUST(later(st.st_ctim, before.st_ctim));
    MUST(utimensat(AT_FDCWD, "f", times(0, UTIME_OMIT, 0, UTIME_NOW), 0) == 0);
    st = look("f");
    MUST(st.st_atim.tv_sec == 5 && later(st.st_mtim, before.st_ctim));
    FAILS(EINVAL, utimensat(AT_FDCWD, "f", times(1, 1000000000, 1, 1), 0));
    MUST(symlink("f", "s") == 0);
    MUST(utimensat(AT_FDCWD, "s", times(7, 7, 8, 8), AT_SYMLINK_NOFOLLOW) == 0);
    MUST(look("s").st_mtim.tv_sec == 8 && look("f").st_mtim.tv_sec != 8);
}

/* What moves which time of a file. */
static void moving_times(void)
{
    struct stat before;
    char c[2];
    int fd;

    put("f", "x");
    MUST(mkdir("d", 0700) == 0 && symlink("f", "s") == 0);
    before = look("f");
    tick();
    MUST(chmod("f", 0600) == 0 && later(look("f").st_ctim, before.st_ctim));
    MUST(same_time(look("f").st_mtim, before.st_mtim));
    before = look("f");
    tick();
    fd = open("f", O_RDWR);
    MUST(pwrite(fd, "y", 1, 0) == 1 && later(look("f").st_mtim, before.st_mtim));
    MUST(later(look("f").st_ctim, before.st_ctim));
    before = look("f");
    tick();
    MUST(write(fd, "", 0) == 0 && same_time(look("f").st_mtim, before.st_mtim));
    MUST(setxattr("f", "user.a", "v", 1, 0) == 0 && later(look("f").st_ctim, before.st_ctim));
    MUST(same_time(look("f").st_mtim, before.st_mtim));
    before = look("f");
    tick();
    close(open("f", O_RDONLY));
    MUST(same_time(look("f").st_atim, before.st_atim));
    MUST(read(open("f", O_RDONLY), c, 1) == 1 && later(look("f").st_atim, before.st_atim));
    /* Also of files from before 1970. */
    MUST(utimensat(AT_FDCWD, "f", times(-100, 0, -200, 0), 0) == 0);
    tick();
    MUST(read(open("f", O_RDONLY), c, 1) == 1 && look("f").st_atim.tv_sec > 0);
    before = look("s");
    tick();
    MUST(readlink("s", c, 2) == 1 && later(look("s").st_atim, before.st_atim));
}

static void extended(void)
{
    static char big[65537], got[65536], list[4096];
    char name[300] = "user.";

    touch("f", 0600);
    MUST(setxattr("f", "user.a", "1", 1, XATTR_CREATE) == 0);
    FAILS(EEXIST, setxattr("f", "user.a", "2", 1, XATTR_CREATE));
    FAILS(ENODATA, setxattr("f", "user.b", "2", 1, XATTR_REPLACE));
    MUST(setxattr("f", "user.a", "23", 2, XATTR_REPLACE) == 0);
    MUST(getxattr("f", "user.a", NULL, 0) == 2 && getxattr("f", "user.a", got, 2) == 2);
    FAILS(ERANGE, (int)getxattr("f", "user.a", got, 1));
    FAILS(ENODATA, (int)getxattr("f", "user.none", got, 1));
    FAILS(ENODATA, removexattr("f", "user.none"));
    MUST(setxattr("f", "user.empty", "", 0, 0) == 0 && getxattr("f", "user.empty", got, 9) == 0);
    MUST(setxattr("f", "trusted.t", "t", 1, 0) == 0 && listxattr("f", NULL, 0) == 28);
    FAILS(ERANGE, (int)listxattr("f", list, 27));
    MUST(listxattr("f", list, sizeof(list)) == 28);
    /* Only the namespaces that there are. */
    FAILS(EOPNOTSUPP, setxattr("f", "bogus.a", "1", 1, 0));
    FAILS(EOPNOTSUPP, setxattr("f", "system.a", "1", 1, 0));
    FAILS(EINVAL, setxattr("f", "user.", "1", 1, 0));
    memset(name + 5, 'n', 251);
    FAILS(ERANGE, setxattr("f", name, "1", 1, 0));
    name[255] = '\0';
    MUST(setxattr("f", name, "1", 1, 0) == 0 && removexattr("f", name) == 0);
    memset(big, 'b', sizeof(big));
    MUST(setxattr("f", "user.big", big, sizeof(big) - 1, 0) == 0);
    MUST(getxattr("f", "user.big", got, sizeof(got)) == sizeof(got));
    MUST(memcmp(big, got, sizeof(got)) == 0);
    FAILS(E2BIG, setxattr("f", "user.big", big, sizeof(big), 0));
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "user.%d", i);
        MUST(setxattr("f", name, name, strlen(name), 0) == 0);
    }
    for (int i = 0; i < 60; i += 2) {
        snprintf(name, sizeof(name), "user.%d", i);
        MUST(removexattr("f", name) == 0);
    }
    for (int i = 1; i < 60; i += 2) {
        snprintf(name, sizeof(name), "user.%d", i);
        MUST(getxattr("f", name, got, 99) == (ssize_t)strlen(name));
    }
    MUST(symlink("f", "s") == 0 && mkfifo("p", 0600) == 0);
    FAILS(EPERM, lsetxattr("s", "user.a", "1", 1, 0));
    FAILS(EPERM, setxattr("p", "user.a", "1", 1, 0));
    MUST(lsetxattr("s", "trusted.a", "1", 1, 0) == 0 && lgetxattr("s", "trusted.a", got, 9) == 1);
}

static void filesystem(void)
{
    struct statvfs sv;

    MUST(statvfs(".", &sv) == 0 && sv.f_namemax == 255 && sv.f_bfree > 0 && sv.f_ffree > 0);
    MUST(sv.f_blocks >= sv.f_bfree && sv.f_bfree >= sv.f_bavail && sv.f_files >= sv.f_ffree);
    MUST(pathconf(".", _PC_NAME_MAX) == 255);
}

int main(int argc, char **argv)
{
    static const struct posix_case cases[] = {
        {"permissions", permissions},
        {"sticky", sticky},
        {"privileges", privileges},
        {"capabilities", capabilities},
        {"inherited-group", inherited_group},
        {"modes", modes},
        {"setting-times", setting_times},
        {"moving-times", moving_times},
        {"extended", extended},
        {"filesystem", filesystem},
    };

    return posix_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
