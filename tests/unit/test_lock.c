/* Tests the locks between processes: who can hold them, the holder's name in messages, and that a process
 * that could open an earlier file does not keep the lock. */
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
#include "lib/basic/lock.h"
#include "lib/basic/remove_tree.h"

static void test_only_its_owner_can_open_the_lock(void **state)
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
    /* A file that other users can open they can also lock. */
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
    /* Neither a symbolic link is followed nor a fifo waited for. */
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

static void test_the_holder_is_named(void **state)
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
    int fd = lock_file(path, 20 * USEC_PER_SEC, &e); /* waits for the other process */
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(end[0]);
    close(ready[0]);
    close(ready[1]);
    assert_int_equal(remove_tree_at(AT_FDCWD, dir, NULL), 0);
}

/* A change of the mode closes no descriptor: a process with a descriptor of the earlier file must not hold
 * the lock with it. */
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
    assert_int_equal(flock(stranger, LOCK_EX | LOCK_NB), 0); /* of a file that no longer has a name */
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
        cmocka_unit_test(test_only_its_owner_can_open_the_lock),
        cmocka_unit_test(test_the_holder_is_named),
        cmocka_unit_test(test_an_earlier_descriptor_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
