/* The locks between processes: who can hold them, who is named, and that nobody who could open an earlier
 * file keeps one. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/lock.h"

static void test_the_lock_is_root_s_alone(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    char dir[] = "/tmp/hostlet-test-lock-XXXXXX";
    assert_non_null(mkdtemp(dir));
    _cleanup_free_ char *path = xasprintf("%s/lock", dir), *other = xasprintf("%s/other", dir);
    struct stat st;
    umask(0);
    int fd = lock_file(path, 0, &e);
    umask(0022);
    assert_true(fd >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    close(fd);
    /* What others can open, they can hold. */
    static const mode_t modes[] = {0644, 0620, 0601, 0666};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        fd = lock_file(path, 0, &e);
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65534, 65534), 0);
        assert_int_equal(lock_file(path, 0, &e), -EPERM);
        assert_non_null(strstr(e.message, path));
        assert_non_null(strstr(e.message, "remove it"));
    }
    /* Neither a link nor a fifo is followed or waited for. */
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(lock_file(path, 0, &e), -ELOOP);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(20);
    assert_int_equal(lock_file(path, 0, &e), -EPERM);
    alarm(0);
    assert_int_equal(remove_tree_at(AT_FDCWD, dir, NULL), 0);
}

static void test_who_holds_the_lock_is_named(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    char dir[] = "/tmp/hostlet-test-lock-XXXXXX", byte;
    int ready[2], end[2];
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    _cleanup_free_ char *path = xasprintf("%s/lock", dir);
    pid_t child = fork();
    if (child == 0) {
        close(end[1]);
        int fd = lock_file(path, 0, NULL);
        if (fd >= 0 && write(ready[1], "", 1) == 1 && read(end[0], &byte, 1) == 0)
            _exit(0);
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    _cleanup_free_ char *who = xasprintf("process %d (", child);
    assert_int_equal(lock_file(path, 30 * USEC_PER_MSEC, &e), -EAGAIN);
    assert_int_equal(e.class, ERROR_RETRY);
    assert_non_null(strstr(e.message, who));
    close(end[1]);
    int fd = lock_file(path, 20 * USEC_PER_SEC, &e); /* waited for */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(end[0]);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(remove_tree_at(AT_FDCWD, dir, NULL), 0);
}

/* A mode that is mended takes no descriptor away: who has one of the earlier file must not hold the lock with
 * it. */
static void test_an_earlier_descriptor_holds_nothing(void **state)
{
    (void)state;
    char dir[] = "/tmp/hostlet-test-lock-XXXXXX";
    assert_non_null(mkdtemp(dir));
    _cleanup_free_ char *path = xasprintf("%s/lock", dir);
    assert_int_equal(close(open(path, O_WRONLY | O_CREAT, 0644)), 0);
    assert_int_equal(chmod(path, 0644), 0);
    _cleanup_close_ int stranger = open(path, O_RDONLY | O_CLOEXEC);
    struct error e = ERROR_INIT;
    int fd = lock_file(path, 0, &e);
    assert_true(fd >= 0);
    assert_int_equal(flock(stranger, LOCK_EX | LOCK_NB), 0); /* of what has no name any more */
    assert_int_equal(lock_file(path, 0, &e), -EAGAIN);
    close(fd);
    fd = lock_file(path, 0, &e);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(remove_tree_at(AT_FDCWD, dir, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_lock_is_root_s_alone),
        cmocka_unit_test(test_who_holds_the_lock_is_named),
        cmocka_unit_test(test_an_earlier_descriptor_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
