/* Tests the removal of trees whose content another user controls: deep ones, with denied modes, full of
 * links, with a mount inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"

static char base[] = "/tmp/hostlet-test-XXXXXX";
static int at = -1;

/* The errno with which renames fail instead of being performed (0: none), and the number of calls: it
 * simulates a tree with directories of many projects, or a full disk. This definition replaces libc's. */
static int rename_errnum;
static unsigned renames;

int renameat(int old_dir, const char *old, int new_dir, const char *new)
{
    renames++;
    if (rename_errnum) {
        errno = rename_errnum;
        return -1;
    }
    return (int)syscall(SYS_renameat2, old_dir, old, new_dir, new, 0);
}

static void file(const char *path)
{
    int fd = openat(at, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, "x", 1), 0);
    close(fd);
}

static bool exists(const char *path)
{
    struct stat st;
    return fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void remove_it(const char *name)
{
    struct error e = ERROR_INIT;
    if (remove_tree_at(at, name, &e) < 0)
        fail_msg("%s", e.message);
    assert_false(exists(name));
}

static void test_simple_entries_are_removed(void **state)
{
    (void)state;
    remove_it("never-there");
    file("file");
    remove_it("file");
    assert_int_equal(symlinkat("/etc", at, "link"), 0);
    remove_it("link");
    assert_int_equal(mkfifoat(at, "fifo", 0600), 0);
    remove_it("fifo");
    assert_int_equal(mkdirat(at, "empty", 0700), 0);
    remove_it("empty");
}

static void test_links_are_not_followed(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(at, "canary", 0700), 0);
    file("canary/file");
    assert_int_equal(mkdirat(at, "tree", 0700), 0);
    assert_int_equal(mkdirat(at, "tree/sub", 0700), 0);
    assert_int_equal(symlinkat("../canary", at, "tree/link"), 0);
    assert_int_equal(symlinkat("../../canary", at, "tree/sub/link"), 0);
    assert_int_equal(linkat(at, "canary/file", at, "tree/sub/hard", 0), 0);
    remove_it("tree");
    assert_true(exists("canary/file"));
    assert_int_equal(symlinkat("canary", at, "link"), 0);
    remove_it("link");
    assert_true(exists("canary/file"));
    remove_it("canary");
}

/* Makes a chain of directories; each tenth has a second one beside it, with a file in it. */
static void make_deep(const char *name, int levels)
{
    static const char long_name[] =
        "a name of two hundred bytes and more, so that no path leads to the bottom "
        "...................................................................................................."
        ".."
        "..............................";
    assert_int_equal(mkdirat(at, name, 0700), 0);
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < levels; i++) {
        assert_int_equal(mkdirat(fd, long_name, 0700), 0);
        if (i % 1000 == 0)
            assert_int_equal(symlinkat("d", fd, "l"), 0);
        if (i % 10 == 0) {
            assert_int_equal(mkdirat(fd, "beside", 0700), 0);
            assert_int_equal(mknodat(fd, "beside/file", S_IFREG | 0600, 0), 0);
        }
        int next = openat(fd, long_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(fd);
        fd = next;
    }
    close(fd);
}

/* Removes the tree with so few descriptors that most of it cannot be open. */
static void remove_with_few(const char *name, rlim_t descriptors)
{
    struct rlimit old, few = {.rlim_cur = descriptors};
    getrlimit(RLIMIT_NOFILE, &old);
    few.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_NOFILE, &few);
    remove_it(name);
    setrlimit(RLIMIT_NOFILE, &old);
}

/* More levels than descriptors, than PATH_MAX has bytes, and than the stack has frames. */
static void test_deep_trees_are_removed(void **state)
{
    (void)state;
    make_deep("deep", 10000);
    remove_with_few("deep", 16);
    make_deep("deep", 1000);
    remove_it("deep");
}

/* With other projects of the tenant, or on a full disk, no directory can be moved: still no part of the
 * tree stays. */
static void test_trees_are_removed_without_renames(void **state)
{
    (void)state;
    static const int errnums[] = {EXDEV, ENOSPC, EDQUOT, EMLINK, ENOKEY};
    for (size_t i = 0; i < ARRAY_SIZE(errnums); i++) {
        make_deep("deep", 300);
        rename_errnum = errnums[i];
        renames = 0;
        remove_with_few("deep", i % 2 ? 256 : 16);
        rename_errnum = 0;
        assert_true(renames > 0);
    }
}

/* Renames lock the whole filesystem: a tree of ordinary depth needs none. */
static void test_ordinary_depth_needs_no_rename(void **state)
{
    (void)state;
    make_deep("tree", 12);
    renames = 0;
    remove_it("tree");
    assert_int_equal(renames, 0);
}

/* An entry that cannot be removed, at any depth, does not prevent the removal of the others, nor cause
 * endless attempts. */
static void test_an_immutable_file_alone_stays(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    make_deep("deep", 200);
    int fd = openat(at, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 200; i++) {
        struct dirent *d;
        DIR *dir = fdopendir(fd);
        while ((d = readdir(dir)) &&
               (streq(d->d_name, ".") || streq(d->d_name, "..") || strlen(d->d_name) < 20))
            ;
        assert_non_null(d);
        fd = openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        closedir(dir);
    }
    int flags = FS_IMMUTABLE_FL;
    int file_fd = openat(fd, "stays", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    if (ioctl(file_fd, FS_IOC_SETFLAGS, &flags) < 0) {
        close(file_fd);
        remove_it("deep");
        print_message("skip test_an_immutable_file_alone_stays: no file can be made immutable here\n");
        skip();
    }
    for (int round = 0; round < 3; round++) {
        rename_errnum = round == 1 ? EXDEV : 0;
        assert_int_equal(remove_tree_at(at, "deep", &e), -EPERM);
        rename_errnum = 0;
        assert_int_equal(e.class, ERROR_FAILED);
        assert_non_null(strstr(e.message, "/stays'"));
        assert_non_null(strstr(e.message, "chattr -i"));
        assert_true(exists("deep"));
    }
    flags = 0;
    assert_int_equal(ioctl(file_fd, FS_IOC_SETFLAGS, &flags), 0);
    close(file_fd);
    remove_it("deep");
}

static void test_wide_trees_are_removed(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(at, "wide", 0700), 0);
    for (int i = 0; i < 300; i++) {
        _cleanup_free_ char *dir = xasprintf("wide/%d", i);
        assert_int_equal(mkdirat(at, dir, 0700), 0);
        for (int k = 0; k < 40; k++) {
            _cleanup_free_ char *name = xasprintf("wide/%d/%d", i, k);
            if (k % 4)
                file(name);
            else
                assert_int_equal(mkdirat(at, name, 0700), 0);
        }
    }
    remove_it("wide");
}

/* As an ordinary user, to whom modes apply. */
static void test_denied_modes_are_changed(void **state)
{
    (void)state;
    assert_int_equal(mkdirat(at, "denied", 0700), 0);
    assert_int_equal(mkdirat(at, "denied/a", 0700), 0);
    assert_int_equal(mkdirat(at, "denied/a/b", 0700), 0);
    file("denied/a/b/c");
    assert_int_equal(fchmodat(at, "denied/a/b", 0, 0), 0);
    assert_int_equal(fchmodat(at, "denied/a", 0500, 0), 0);
    assert_int_equal(fchmodat(at, "denied", 0, 0), 0);
    if (geteuid() != 0) {
        remove_it("denied");
        return;
    }
    static const char *const all[] = {"denied/a/b/c", "denied/a/b", "denied/a", "denied"};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_int_equal(fchownat(at, all[i], 65534, 65534, 0), 0);
    assert_int_equal(fchmod(at, 0777), 0);
    pid_t child = fork();
    if (child == 0) {
        struct error e = ERROR_INIT;
        if (setresuid(65534, 65534, 65534) < 0)
            _exit(2);
        int r = remove_tree_at(at, "denied", &e);
        if (r < 0)
            fprintf(stderr, "%s\n", e.message);
        _exit(r < 0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_false(exists("denied"));
}

static void test_mount_point_is_refused(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
            _exit(77);
        mkdirat(at, "tree", 0700);
        mkdirat(at, "tree/sub", 0700);
        mkdirat(at, "tree/sub/mount", 0700);
        mkdirat(at, "elsewhere", 0700);
        file("elsewhere/canary");
        /* A bind mount of the same filesystem: its device number is the same. */
        _cleanup_free_ char *from = xasprintf("%s/elsewhere", base),
                            *to = xasprintf("%s/tree/sub/mount", base);
        if (mount(from, to, NULL, MS_BIND, NULL) < 0)
            _exit(77);
        struct error e = ERROR_INIT;
        int r = remove_tree_at(at, "tree", &e);
        bool named = strstr(e.message, "/mount' is a mount point") != NULL;
        if (!named)
            fprintf(stderr, "%d: %s\n", r, e.message);
        _exit(r == -EXDEV && e.class == ERROR_REFUSED && named && exists("elsewhere/canary") ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    remove_it("tree");
    remove_it("elsewhere");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skip test_mount_point_is_refused: no mount namespace may be made here\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void test_an_absolute_path_is_accepted(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    assert_int_equal(mkdirat(at, "x", 0700), 0);
    file("x/y");
    _cleanup_free_ char *path = xasprintf("%s/x", base), *none = xasprintf("%s/none/x", base);
    assert_int_equal(remove_tree_at(AT_FDCWD, path, &e), 0);
    assert_false(exists("x"));
    assert_int_equal(remove_tree_at(AT_FDCWD, none, &e), 0);
}

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(base))
        return -1;
    at = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return at < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    close(at);
    return rmdir(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple_entries_are_removed),
        cmocka_unit_test(test_links_are_not_followed),
        cmocka_unit_test(test_deep_trees_are_removed),
        cmocka_unit_test(test_trees_are_removed_without_renames),
        cmocka_unit_test(test_ordinary_depth_needs_no_rename),
        cmocka_unit_test(test_an_immutable_file_alone_stays),
        cmocka_unit_test(test_wide_trees_are_removed),
        cmocka_unit_test(test_denied_modes_are_changed),
        cmocka_unit_test(test_mount_point_is_refused),
        cmocka_unit_test(test_an_absolute_path_is_accepted),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
