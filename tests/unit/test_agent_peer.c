/* Tests how connections at the agents' socket are told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/basic/util.h"
#include "rpc-gateway/agent_peer.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_the_container_is_found_in_every_layout(void **state)
{
    (void)state;
    static const struct {
        const char *text, *own, *expected;
    } table[] = {
        /* Version 2, with systemd and without. */
        {"0::/system.slice/docker-" A ".scope\n", "0::/system.slice/hostlet.service\n",
         "/system.slice/docker-" A},
        {"0::/docker/" B "\n", "0::/\n", "/docker/" B},
        /* A group below the container's, and a container in a container: the outermost. */
        {"0::/docker/" B "/tenant/" A "\n", "0::/\n", "/docker/" B},
        {"0::/system.slice/docker-" A ".scope/init\n", "0::/system.slice/hostlet.service\n",
         "/system.slice/docker-" A},
        /* Version 1, and both. */
        {"12:pids:/docker/" A "\n1:name=systemd:/docker/" A "\n", "12:pids:/\n1:name=systemd:/\n",
         "/docker/" A},
        {"12:pids:/docker/" A "\n0::/\n", "12:pids:/\n0::/\n", "/docker/" A},
        {"2:cpu:/\n1:name=systemd:/system.slice/docker.service\n0::/docker/" B "\n", "2:cpu:/\n",
         "/docker/" B},
        /* hostlet itself runs in a container: what both have in common is not the tenant's. */
        {"0::/docker/" A "/docker/" B "\n", "0::/docker/" A "/init.scope\n", "/docker/" A "/docker/" B},
        {"0::/docker/" A "/docker/" B "\n", "0::/docker/" A "\n", "/docker/" A "/docker/" B},
        {"3:cpuset:/\n4:memory:/docker/" A "/docker/" B "\n", "3:cpuset:/\n4:memory:/docker/" A "\n",
         "/docker/" A "/docker/" B},
        /* In a control group namespace of its own. */
        {"0::/../docker/" B "\n", "0::/\n", "/../docker/" B},
        /* No container. */
        {"0::/user.slice/user-1000.slice/session-3.scope\n", "0::/system.slice/hostlet.service\n", NULL},
        {"0::/docker/" A "/x\n", "0::/docker/" A "\n", NULL},
        {"0::/\n", "0::/\n", NULL},
        {"0::/docker/" A "b\n", "0::/\n", NULL}, /* 65 digits */
        {"0::/docker/a" A "\n", "0::/\n", NULL},
        {"0::/docker/bbbb\n", "0::/\n", NULL},
        {"", "", NULL},
        {"nonsense\n::\n0::", "0::/\n", NULL},
        {"0::/docker/" A, "", "/docker/" A},
        /* A user names groups as he likes, in his own part of the tree. */
        {"0::/user.slice/user-1000.slice/user@1000.service/docker-" A ".scope\n", "0::/\n", NULL},
        {"1:name=systemd:/user.slice/user-1000.slice/user@1000.service/" A "\n0::/docker/" B "\n", "0::/\n",
         "/docker/" B},
        {"0::/user.slice/user-1000.slice/user@1000.service/docker/" B "\n",
         "0::/user.slice/user-1000.slice/user@1000.service/test.scope\n",
         "/user.slice/user-1000.slice/user@1000.service/docker/" B},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        size_t n = 0;
        const char *found = agent_peer_container(table[i].text, table[i].own, &n),
                   *expected = table[i].expected;
        bool good = expected ? found && n == strlen(expected) && strncmp(found, expected, n) == 0 : !found;
        if (!good)
            fail_msg("%zu: '%.*s' in %s", i, (int)n, found ?: "", table[i].text);
    }
}

static void test_texts_are_origins_of_their_own(void **state)
{
    (void)state;
    struct peer a, b, again;
    agent_peer_of_text("web/0", &a);
    agent_peer_of_text("web/1", &b);
    agent_peer_of_text("web/0", &again);
    struct peer origin = peer_origin(&a), other = peer_origin(&b);
    assert_true(peer_equal(&a, &again) && peer_equal(&a, &origin) && !peer_equal(&origin, &other));
}

/* Returns the origin of a connection that another process makes, which then exits or not. */
static struct peer origin_of_child(bool exits)
{
    int fds[2], wait[2];
    struct peer ret;
    assert_int_equal(pipe(wait), 0);
    pid_t pid = -1;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr any = {.sa_family = AF_UNIX}; /* the kernel chooses an abstract name */
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    assert_int_equal(bind(listener, &any, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
    pid = fork();
    if (pid == 0) {
        char byte;
        close(wait[1]);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        int r = connect(fd, (const struct sockaddr *)&name, size);
        if (!exits)
            (void)!read(wait[0], &byte, 1);
        _exit(r < 0);
    }
    fds[0] = accept(listener, NULL, NULL);
    assert_true(fds[0] >= 0);
    if (exits)
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    agent_peer_of(fds[0], &ret);
    close(wait[0]);
    close(wait[1]);
    if (!exits)
        waitpid(pid, NULL, 0);
    close(fds[0]);
    close(listener);
    return ret;
}

static void test_processes_in_no_container_count_together_and_exited_ones_too(void **state)
{
    (void)state;
    struct peer exited, other, running = origin_of_child(false), gone = origin_of_child(true);
    agent_peer_of_text("no container", &other);
    agent_peer_of_text("exited", &exited);
    assert_true(peer_equal(&running, &other));
    assert_true(peer_equal(&gone, &exited));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_container_is_found_in_every_layout),
        cmocka_unit_test(test_texts_are_origins_of_their_own),
        cmocka_unit_test(test_processes_in_no_container_count_together_and_exited_ones_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
