/* Tests which differences of a container are drift, and when it is recreated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/basic/util.h"
#include "reconciler/rules/drift.h"

#define MINUTE (UINT64_C(60) * 1000000)

/* A revision and a container that was made for it. Every row of the table changes a part of them. */
struct situation {
    struct driver_port bound, other;
    struct driver_port *bindings[2];
    struct driver_container container;
    struct app_spec spec;
    struct app_deploy deploy;
    struct app_instance app;
    struct app_manifest manifest;
    struct record_revision revision;
    struct app_service_port port;
    struct app_service_port *ports[1];
    struct drift_wish wish;
};

static void make(struct situation *s)
{
    *s = (struct situation){.bound = {.port = 80, .host_port = 8080},
                            .other = {.port = 81, .host_port = 8081}};
    s->bindings[0] = &s->other;
    s->bindings[1] = &s->bound;
    s->container = (struct driver_container){.state = DRIVER_RUNNING,
                                             .revision = 2,
                                             .config = (char *)"c",
                                             .image = (char *)"nginx",
                                             .image_id = (char *)"sha256:1",
                                             .cpu_limit = 1000,
                                             .ports = s->bindings,
                                             .n_ports = 2,
                                             .vpc_ipv4 = (char *)"10.0.0.2"};
    s->spec.image = (char *)"nginx";
    s->deploy = (struct app_deploy){.cpu_limit = 1000};
    s->app = (struct app_instance){.spec = &s->spec, .deploy = &s->deploy};
    s->manifest.app = &s->app;
    s->revision =
        (struct record_revision){.revision = 2, .manifest = &s->manifest, .image_id = (char *)"sha256:1"};
    s->port = (struct app_service_port){.port = 80, .host_port = 8080};
    s->ports[0] = &s->port;
    s->wish = (struct drift_wish){&s->revision, "c", "10.0.0.2", s->ports, 1};
}

static void unchanged(struct situation *s)
{
    (void)s;
}
static void other_limits(struct situation *s)
{
    s->container.cpu_limit = 500;
    s->container.memory_limit = 1010001;
    s->container.pids_limit = 7;
}
static void a_lost_limit(struct situation *s)
{
    s->container.cpu_limit = 0;
    s->container.cpu_limit_lost = true;
}
static void a_lost_limit_that_is_not_desired(struct situation *s)
{
    a_lost_limit(s);
    s->deploy.cpu_limit = 0;
}
static void another_address(struct situation *s)
{
    s->container.vpc_ipv4 = (char *)"10.0.0.3";
}
static void an_unwanted_address(struct situation *s)
{
    s->wish.vpc_ipv4 = NULL;
}
static void no_address(struct situation *s)
{
    s->container.vpc_ipv4 = NULL;
}
static void no_address_while_down(struct situation *s)
{
    s->container.vpc_ipv4 = NULL;
    s->container.state = DRIVER_EXITED;
}
static void no_address_wanted(struct situation *s)
{
    s->container.vpc_ipv4 = NULL;
    s->wish.vpc_ipv4 = NULL;
}
static void lxcfs_differs(struct situation *s)
{
    s->container.lxcfs_differs = true;
}
static void another_host_port(struct situation *s)
{
    s->bound.host_port = 8090;
}
static void another_port(struct situation *s)
{
    s->bound.port = 90;
}
static void another_protocol(struct situation *s)
{
    s->bound.protocol = APP_PROTOCOL_UDP;
}
static void another_host_address(struct situation *s)
{
    s->port.host_address = (char *)"127.0.0.1";
}
static void an_unwanted_host_address(struct situation *s)
{
    s->bound.host_address = (char *)"127.0.0.1";
}
static void adopted_at_an_address_of_the_original_agent(struct situation *s)
{
    an_unwanted_host_address(s);
    s->container.adopted = true;
}
static void another_port_while_down(struct situation *s)
{
    s->bound.host_port = 8090;
    s->container.state = DRIVER_EXITED;
}
static void another_image(struct situation *s)
{
    s->container.image = (char *)"httpd";
    s->container.image_id = (char *)"sha256:2";
}
static void adopted_of_another_image(struct situation *s)
{
    another_image(s);
    s->container.adopted = true;
}
static void adopted_of_the_same_bits(struct situation *s)
{
    s->container.adopted = true;
    s->container.image = (char *)"mirror/nginx:1";
}
static void adopted_by_its_full_name(struct situation *s)
{
    adopted_of_another_image(s);
    s->container.image = (char *)"docker.io/library/nginx:latest";
}
static void adopted_by_a_tag(struct situation *s)
{
    adopted_of_another_image(s);
    s->container.image = (char *)"nginx:1.2";
}
static void adopted_of_a_registry_with_a_port(struct situation *s)
{
    adopted_of_another_image(s);
    s->container.image = (char *)"r.example:5000/nginx:latest";
    s->spec.image = (char *)"r.example:5000/nginx";
}
static void adopted_by_digest(struct situation *s)
{
    adopted_of_another_image(s);
    s->container.image = (char *)"docker.io/library/nginx@1"; /* no tag is added to it */
    s->spec.image = (char *)"nginx@1";
}
static void adopted_of_an_unknown_image(struct situation *s)
{
    adopted_of_another_image(s);
    s->container.image = NULL;
}
static void adopted_for_no_image(struct situation *s)
{
    adopted_of_another_image(s);
    s->spec.image = NULL;
}
static void missing(struct situation *s)
{
    lxcfs_differs(s);
    s->container.state = DRIVER_MISSING;
}
static void without_deploy(struct situation *s)
{
    lxcfs_differs(s);
    s->app.deploy = NULL;
}

static void test_drift_is_a_difference_from_the_revision(void **state)
{
    (void)state;
#define ROW(change, reason)                                                                                  \
    {                                                                                                        \
#change, change, reason                                                                              \
    }
    static const struct {
        const char *what;
        void (*change)(struct situation *s);
        const char *reason; /* a part of it; NULL: the container does not differ */
    } rows[] = {
        ROW(unchanged, NULL),
        ROW(other_limits, NULL), /* they are set while it runs */
        ROW(a_lost_limit, "lost its CPU limit"),
        ROW(a_lost_limit_that_is_not_desired, NULL),
        ROW(another_address, "10.0.0.3, and 10.0.0.2"),
        ROW(an_unwanted_address, "10.0.0.2, and none"),
        ROW(no_address, "none, and 10.0.0.2"),
        ROW(no_address_while_down, NULL),
        ROW(no_address_wanted, NULL),
        ROW(lxcfs_differs, "no file of lxcfs"),
        ROW(another_host_port, "port 80 is not published on host port 8080"),
        ROW(another_port, "port 80 is not published"),
        ROW(another_protocol, "port 80 is not published on host port 8080"),
        ROW(another_host_address, "port 80 is not published on host port 127.0.0.1:8080"),
        ROW(an_unwanted_host_address, "port 80 is not published on host port 8080"),
        ROW(adopted_at_an_address_of_the_original_agent, NULL),
        ROW(another_port_while_down, NULL),
        ROW(another_image, NULL), /* the revision stands for it */
        ROW(adopted_of_another_image, "'httpd', and 'nginx'"),
        ROW(adopted_of_the_same_bits, NULL),
        ROW(adopted_by_its_full_name, NULL),
        ROW(adopted_by_a_tag, "'nginx:1.2', and 'nginx'"),
        ROW(adopted_of_a_registry_with_a_port, NULL),
        ROW(adopted_by_digest, NULL),
        ROW(adopted_of_an_unknown_image, NULL),
        ROW(adopted_for_no_image, NULL),
        ROW(missing, NULL),
        ROW(without_deploy, NULL),
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct situation s;
        make(&s);
        rows[i].change(&s);
        char *reason = drift_reason(&s.container, &s.wish);
        if (rows[i].reason ? !reason || !strstr(reason, rows[i].reason) : reason != NULL)
            fail_msg("%s: %s", rows[i].what, reason ? reason : "does not differ");
        free(reason);
    }
}

static void test_drift_is_seen_in_the_applied_revision_and_stays(void **state)
{
    (void)state;
    struct situation s;
    make(&s);
    struct drift drift = {.seen = false};
    assert_false(drift_is_seen(&drift, &s.container, 2, &s.wish));
    another_host_port(&s);
    assert_true(drift_is_seen(&drift, &s.container, 2, &s.wish));
    assert_false(drift_is_seen(&drift, &s.container, 1, &s.wish)); /* a switch is in progress */
    s.container.revision = 1;
    assert_false(drift_is_seen(&drift, &s.container, 2, &s.wish)); /* a container of an earlier revision */

    /* Drift that was seen stays, although a stopped container shows no ports. */
    s.container.revision = 2;
    s.container.state = DRIVER_EXITED;
    assert_false(drift_is_seen(&drift, &s.container, 2, &s.wish));
    drift.seen = true;
    assert_true(drift_is_seen(&drift, &s.container, 2, &s.wish));
    s.container.state = DRIVER_MISSING;
    assert_false(drift_is_seen(&drift, &s.container, 2, &s.wish));
}

static void test_recreations_have_ten_minutes_between_them(void **state)
{
    (void)state;
    struct situation s;
    make(&s);
    struct drift drift = {.seen = true};
    uint64_t now = 5 * MINUTE;
    assert_true(drift_is_mended_now(&drift, now)); /* the first recreation does not wait */
    drift_note_replacement(&drift, &s.container, &s.wish, now);
    assert_int_equal(drift.mended_at, now);
    assert_false(drift_is_mended_now(&drift, now));
    assert_false(drift_is_mended_now(&drift, now + 10 * MINUTE - 1));
    assert_true(drift_is_mended_now(&drift, now + 10 * MINUTE));
}

static void test_only_a_recreation_for_drift_is_stored(void **state)
{
    (void)state;
    struct situation s;
    make(&s);
    struct drift drift = {.seen = true};
    s.container.revision = 1; /* replaced by another revision */
    drift_note_replacement(&drift, &s.container, &s.wish, 1);
    assert_int_equal(drift.mended_at, 0);
    s.container.revision = 2;
    s.container.config = (char *)"another"; /* replaced because of another config */
    drift_note_replacement(&drift, &s.container, &s.wish, 2);
    assert_int_equal(drift.mended_at, 0);
    s.container.adopted = true; /* its config is not known */
    drift_note_replacement(&drift, &s.container, &s.wish, 3);
    assert_int_equal(drift.mended_at, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drift_is_a_difference_from_the_revision),
                                       cmocka_unit_test(test_drift_is_seen_in_the_applied_revision_and_stays),
                                       cmocka_unit_test(test_recreations_have_ten_minutes_between_them),
                                       cmocka_unit_test(test_only_a_recreation_for_drift_is_stored)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
