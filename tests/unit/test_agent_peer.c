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
        {"0::/system.slice/docker-" A ".scope\n", "0::/system.slice/hostlet.service\n", A},
        {"0::/docker/" B "\n", "0::/\n", B},
        /* A group below the container's, and a container in a container: the outermost. */
        {"0::/docker/" B "/tenant/" A "\n", "0::/\n", B},
        {"0::/system.slice/docker-" A ".scope/init\n", "0::/system.slice/hostlet.service\n", A},
        /* Version 1, and both. */
        {"12:pids:/docker/" A "\n1:name=systemd:/docker/" A "\n", "12:pids:/\n1:name=systemd:/\n", A},
        {"12:pids:/docker/" A "\n0::/\n", "12:pids:/\n0::/\n", A},
        {"2:cpu:/\n1:name=systemd:/system.slice/docker.service\n0::/docker/" B "\n", "2:cpu:/\n", B},
        /* hostlet itself runs in a container: what both have in common is not the tenant's. */
        {"0::/docker/" A "/docker/" B "\n", "0::/docker/" A "/init.scope\n", B},
        {"0::/docker/" A "/docker/" B "\n", "0::/docker/" A "\n", B},
        {"3:cpuset:/\n4:memory:/docker/" A "/docker/" B "\n", "3:cpuset:/\n4:memory:/docker/" A "\n", B},
        /* In a control group namespace of its own. */
        {"0::/../docker/" B "\n", "0::/\n", B},
        /* No container. */
        {"0::/user.slice/user-1000.slice/session-3.scope\n", "0::/system.slice/hostlet.service\n", NULL},
        {"0::/docker/" A "/x\n", "0::/docker/" A "\n", NULL},
        {"0::/\n", "0::/\n", NULL},
        {"0::/docker/" A "b\n", "0::/\n", NULL}, /* 65 digits */
        {"0::/docker/a" A "\n", "0::/\n", NULL},
        {"0::/docker/bbbb\n", "0::/\n", NULL},
        {"", "", NULL},
        {"nonsense\n::\n0::", "0::/\n", NULL},
        {"0::/docker/" A, "", A},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char id[CONTAINER_ID_SIZE] = "";
        bool found = agent_peer_container(table[i].text, table[i].own, id);
        if (found != (table[i].expected != NULL) || !streq(id, table[i].expected ?: ""))
            fail_msg("%zu: '%s' in %s", i, id, table[i].text);
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

static void test_processes_are_counted_for_their_user_and_exited_ones_together(void **state)
{
    (void)state;
    char id[CONTAINER_ID_SIZE + 16];
    struct peer exited, user, running = origin_of_child(false), gone = origin_of_child(true);
    (void)snprintf(id, sizeof id, "user %u", getuid());
    agent_peer_of_text(id, &user);
    agent_peer_of_text("exited", &exited);
    assert_true(peer_equal(&running, &user));
    assert_true(peer_equal(&gone, &exited));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_container_is_found_in_every_layout),
        cmocka_unit_test(test_texts_are_origins_of_their_own),
        cmocka_unit_test(test_processes_are_counted_for_their_user_and_exited_ones_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
