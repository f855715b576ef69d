/* Tests the filter of system calls: listed calls work, also in threads, and others kill the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "lib/service/filter.h"

static const char *const calls[] = {"mkdir", "mkdirat", "no-such-call-anywhere", NULL};

static void *make_in_thread(void *result)
{
    *(int *)result = mkdir("/nonexistent/directory", 0700) < 0 ? errno : 0;
    return NULL;
}

static void listed(void)
{
    pthread_t thread;
    int result = -1;
    if (pthread_create(&thread, NULL, make_in_thread, &result) != 0)
        _exit(2);
    pthread_join(thread, NULL);
    free(malloc((size_t)8 << 20));
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    _exit(result == ENOENT && fd >= 0 ? 0 : 3);
}

static void network(void)
{
    (void)socket(AF_INET, SOCK_STREAM, 0);
    _exit(0);
}

static void program(void)
{
    execl("/bin/true", "true", NULL);
    _exit(0);
}

static void in_thread_too(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, (void *(*)(void *))(void (*)(void))program, NULL) == 0)
        pthread_join(thread, NULL);
    _exit(0);
}

static int run(void (*act)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        struct error e = ERROR_INIT;
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        const struct service_filter *filter = SERVICE_FILTER(calls);
        if (filter->install(filter, &e) < 0)
            _exit(9);
        act();
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_what_is_listed_works(void **state)
{
    (void)state;
    assert_int_equal(run(listed), 0);
}

static void test_what_is_not_listed_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(run(network), -SIGSYS);
    assert_int_equal(run(program), -SIGSYS);
    assert_int_equal(run(in_thread_too), -SIGSYS);
}

int main(void)
{
#ifdef ENABLE_SANITIZERS
    print_message("skip test_filter: sanitizers make system calls of their own\n");
    return 0;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_listed_works),
        cmocka_unit_test(test_what_is_not_listed_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
