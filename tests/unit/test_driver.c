/* Tests the parts of container-driver without side effects: names, references, credentials, requests to
 * Docker and its responses. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "container-driver/complete.h"
#include "container-driver/credentials.h"
#include "container-driver/docker/create.h"
#include "container-driver/docker/event.h"
#include "container-driver/docker/failure.h"
#include "container-driver/docker/inspect.h"
#include "container-driver/docker/progress.h"
#include "container-driver/docker/version.h"
#include "container-driver/lines.h"
#include "container-driver/name.h"
#include "container-driver/null/behaviour.h"
#include "container-driver/owner.h"
#include "container-driver/reading.h"
#include "container-driver/runtime.h"
#include "container-driver/socket_group.h"
#include "container-driver/spec.h"
#include "container-driver/tail.h"
#include "container-driver/used_ranges.h"
#include "container-driver/zone_network.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"
#include "lib/schema/pack.h"

#define TREE "6f1f6a3e-0000-4000-8000-000000000001"

static void names_are_built_and_parsed(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    char *name = NULL;
    assert_int_equal(container_name("web", 7, DRIVER_SLOT_CURRENT, &name, &e), 0);
    assert_string_equal(name, "i8k_web_7");
    free(name);
    assert_int_equal(container_name("web-2", 127, DRIVER_SLOT_OLD, &name, &e), 0);
    assert_string_equal(name, "i8k_web-2_127.old");
    free(name);
    static const char *const bad[] = {"", "ab", "-web", "web-", "Web", "web_1", "we/b", "../x", "w.b"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(container_name(bad[i], 0, DRIVER_SLOT_CURRENT, &name, &e), -EINVAL);
    assert_int_equal(container_name("web", 128, DRIVER_SLOT_CURRENT, &name, &e), -ERANGE);
    assert_int_equal(container_name("web", -1, DRIVER_SLOT_CURRENT, &name, &e), -ERANGE);

    char *instance = NULL;
    int64_t id = -1;
    int slot = -1;
    assert_true(container_name_parse("/i8k_web-2_12.old", &instance, &id, &slot));
    assert_string_equal(instance, "web-2");
    assert_int_equal(id, 12);
    assert_int_equal(slot, DRIVER_SLOT_OLD);
    free(instance);
    static const char *const foreign[] = {
        "web",         "i8k_web",    "i8k_web_",       "i8k_web_01", "i8k_web_1.older",
        "i8k_web_128", "i8k_web_1x", "x_i8k_web_1",    "i8k__1",     "i8k_web_1.old.old",
        "i8k_ab_1",    "i8k_web_-1", "i8k_a_b_c_1.old"};
    for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
        if (container_name_parse(foreign[i], &instance, &id, &slot))
            fail_msg("'%s' was accepted as a name of hostlet's form", foreign[i]);
}

/* Checks which ranges the zone's network can have next to the ranges that the machine uses. */
static void a_range_in_use_is_refused_for_the_zones_network(void **state)
{
    (void)state;
#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
    static const struct {
        const char *cidr;
        struct used_range range;
        const char *said, *warned;
    } cases[] = {
        {"192.168.50.0/30", {USE_ADDRESS, IP(192, 168, 50, 7), 24, "eth0"}, "192.168.50.0/24 on eth0", NULL},
        {"192.168.50.0/24", {USE_ADDRESS, IP(192, 168, 50, 7), 24, "eth0"}, "192.168.50.0/24 on eth0", NULL},
        {"192.168.0.0/16", {USE_ADDRESS, IP(192, 168, 50, 7), 32, "lo"}, "192.168.50.7 on lo", NULL},
        {"10.9.0.0/16", {USE_ADDRESS, IP(10, 1, 2, 3), 8, "eth0"}, "10.0.0.0/8 on eth0", NULL},
        {"192.168.51.0/24", {USE_ADDRESS, IP(192, 168, 50, 7), 24, "eth0"}, NULL, NULL},
        {"10.9.0.0/16",
         {USE_ROUTE, IP(10, 9, 1, 0), 24, "eth0"},
         "10.9.1.0/24 on eth0, to which this machine has a route",
         NULL},
        {"10.9.0.0/16", {USE_ROUTE, IP(10, 9, 0, 0), 16, ""}, "10.9.0.0/16, to which", NULL},
        {"10.9.0.0/16", {USE_ROUTE, IP(10, 9, 255, 255), 32, "eth0"}, "10.9.255.255 on eth0", NULL},
        {"10.9.0.0/16",
         {USE_ROUTE, IP(10, 8, 0, 0), 15, "eth0"},
         NULL,
         "within 10.8.0.0/15, to which this machine has a route by eth0"},
        {"10.9.0.0/16", {USE_ROUTE, 0, 1, "tun0"}, NULL, "within 0.0.0.0/1"},
        {"10.9.0.0/16", {USE_ROUTE, 0, 0, "eth0"}, NULL, NULL},
        {"10.9.0.0/16", {USE_ROUTE, IP(10, 10, 0, 0), 16, "eth0"}, NULL, NULL},
        {"10.9.0.0/16", {USE_GATEWAY, IP(10, 9, 0, 1), 32, "eth0"}, "the gateway", NULL},
        {"10.9.0.0/16", {USE_GATEWAY, IP(10, 8, 0, 1), 32, "eth0"}, NULL, NULL},
        {"10.9.0.0/16", {USE_NAME_SERVER, IP(10, 9, 0, 53), 32, ""}, "10.9.0.53, a name server", NULL},
        /* Ranges of the zone's own devices. */
        {"10.9.0.0/16", {USE_ADDRESS, IP(10, 9, 0, 1), 24, "br-0123456789ab"}, NULL, NULL},
        {"10.9.0.0/16", {USE_ROUTE, IP(10, 9, 3, 0), 24, "invpc2_vxlan.10"}, NULL, NULL},
        {"10.9.0.0/16", {USE_GATEWAY, IP(10, 9, 3, 1), 32, "invpc2_vxlan.10"}, NULL, NULL},
        {"10.9.0.0/16", {USE_ADDRESS, IP(10, 9, 0, 1), 24, "br-0123456789ac"}, "br-0123456789ac", NULL},
        /* Ranges that are not networks. */
        {"10.9.0.0", {0}, "is not a network", NULL},
        {"10.9.0.0/31", {0}, "is not a network", NULL},
        {"10.9.0.1/16", {0}, "is not a private network", NULL},
        {"11.0.0.0/8", {0}, "is not a private network", NULL},
        {"172.0.0.0/8", {0}, "is not a private network", NULL},
        {"192.168.0.0/13", {0}, "is not a private network", NULL},
        {"192.168.0.0/16", {USE_ROUTE, 0, 0, ""}, NULL, NULL},
        {"172.16.0.0/12", {USE_ROUTE, 0, 0, ""}, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        _cleanup_free_ char *warning = NULL;
        int r = zone_network_judge(cases[i].cidr, &cases[i].range, 1, "br-0123456789ab", &warning, &e);
        if ((r < 0) != (cases[i].said != NULL) || (r < 0 && !strstr(e.message, cases[i].said)))
            fail_msg("case %zu, %s: '%s'", i, cases[i].cidr, e.message);
        if ((warning != NULL) != (cases[i].warned != NULL) || (warning && !strstr(warning, cases[i].warned)))
            fail_msg("case %zu, %s: warned '%s'", i, cases[i].cidr, warning ?: "");
    }
    /* The ranges of this machine, which always has the loopback device. */
    _cleanup_free_ struct used_range *ranges = NULL;
    size_t n = 0;
    struct error e = ERROR_INIT;
    assert_int_equal(used_ranges_read(&ranges, &n, &e), 0);
#undef IP
}

static int credentials(const char *text, const char *domain, char **ret, struct error *e)
{
    *ret = NULL;
    return credentials_find(text, strlen(text), "config.json", domain, ret, e);
}

static void credentials_of_a_registry_are_found(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    char *header = NULL;
    /* "tester:secret"; the expected header is the output of base64 -w0. */
    static const char file[] = "{\"auths\": {\"localhost:5000\": {\"auth\": \"dGVzdGVyOnNlY3JldA==\"},"
                               " \"https://index.docker.io/v1/\": {\"auth\": \"dTpw\"},"
                               " \"https://token.example/v2/\": {\"identitytoken\": \"tok\"},"
                               " \"broken.example\": {\"auth\": \"bm9jb2xvbg==\"}, \"empty.example\": {}},"
                               " \"credHelpers\": {\"helped.example\": \"gcloud\"}}";
    assert_int_equal(credentials(file, "localhost:5000", &header, &e), 0);
    assert_string_equal(
        header, "eyJ1c2VybmFtZSI6InRlc3RlciIsInBhc3N3b3JkIjoic2VjcmV0Iiwic2VydmVyYWRkcmVzcyI6ImxvY2FsaG"
                "9zdDo1MDAwIn0=");
    free(header);
    assert_int_equal(credentials(file, "docker.io", &header, &e), 0);
    assert_non_null(header);
    free(header);
    assert_int_equal(credentials(file, "token.example", &header, &e), 0);
    assert_string_equal(header,
                        "eyJpZGVudGl0eXRva2VuIjoidG9rIiwic2VydmVyYWRkcmVzcyI6InRva2VuLmV4YW1wbGUifQ==");
    free(header);
    assert_int_equal(credentials(file, "other.example", &header, &e), 0);
    assert_null(header);
    assert_int_equal(credentials(file, "empty.example", &header, &e), 0);
    assert_null(header);
    assert_int_equal(credentials(file, "broken.example", &header, &e), -EINVAL);
    assert_int_equal(credentials(file, "helped.example", &header, &e), -ENOTSUP);
    assert_non_null(strstr(e.message, "gcloud"));
    assert_int_equal(
        credentials("{\"auths\":{\"a.b\":{}},\"credsStore\":\"secretservice\"}", "a.b", &header, &e),
        -ENOTSUP);
    assert_int_equal(credentials("{", "a.b", &header, &e), -EINVAL);
    assert_int_equal(credentials("[]", "a.b", &header, &e), -EINVAL);
    assert_int_equal(credentials_read("/does/not/exist", "a.b", &header, &e), 0);
    assert_null(header);
}

static struct settings settings = {.tree_id = (char *)TREE,
                                   .apps = (char *)"/srv/apps",
                                   .ipk_install = (char *)"/srv/ipk",
                                   .agents = (char *)"/srv/agents",
                                   .log_driver = (char *)"local",
                                   .log_max_size = 1000000,
                                   .log_max_file = 2};

static struct driver_port web_port = {.port = 80, .host_port = 8080},
                          tls_port = {.port = 443, .host_port = 8443};
static struct driver_package demo_package = {.name = (char *)"demo", .id = (char *)"demo_1.0.0_linux_amd64"};

static struct driver_create_in example(void)
{
    static struct driver_port *ports[] = {&web_port, &tls_port};
    static struct driver_package *packages[] = {&demo_package};
    return (struct driver_create_in){
        .instance = (char *)"web",
        .replica_id = 3,
        .revision = 12,
        .config = (char *)"abcdef",
        .image = (char *)"nginx:1",
        .host_id = (char *)"0123456789ab",
        .init = APP_INIT_INAGENT,
        .cpu_limit = 500,
        .memory_limit = 64 << 20,
        .stop_timeout_msec = 2500,
        .probation_msec = 200,
        .ports = ports,
        .n_ports = 2,
        .packages = packages,
        .n_packages = 1,
    };
}

static json_t *body_of(const struct driver_create_in *in, int64_t layer_size)
{
    struct error e = ERROR_INIT;
    struct spec spec;
    json_t *body = NULL;
    if (spec_make(in, &settings, &spec, &e) < 0)
        fail_msg("%s", e.message);
    assert_int_equal(docker_create_body(&spec, &settings, layer_size, &body, &e), 0);
    spec_done(&spec);
    return body;
}

/* Compares a JSON value with the test's JSON text. */
static void assert_json(json_t *found, const char *expected_text)
{
    json_t *expected = json_loads(expected_text, JSON_DECODE_ANY, NULL);
    assert_non_null(expected);
    if (!json_equal(found, expected)) {
        char *text = json_dumps(found, JSON_SORT_KEYS | JSON_ENCODE_ANY);
        fail_msg("%s\nis not\n%s", text, expected_text);
    }
    json_decref(expected);
}

#define CAPABILITIES                                                                                         \
    "[\"CHOWN\", \"DAC_OVERRIDE\", \"FSETID\", \"FOWNER\", \"SETGID\", \"SETUID\", \"SETFCAP\", "            \
    "\"SETPCAP\","                                                                                           \
    " \"NET_BIND_SERVICE\", \"SYS_CHROOT\", \"KILL\"]"

static void a_container_with_inagent_gets_the_contracts_definition(void **state)
{
    (void)state;
    struct driver_create_in in = example();
    _cleanup_json_ json_t *body = body_of(&in, (int64_t)10 << 30);
    assert_json(
        body, "{\"Image\": \"nginx:1\", \"Entrypoint\": [], \"Cmd\": [\"/bin/sh\", "
              "\"/home/action/.innerstack/ininit\"],"
              " \"User\": \"0\", \"WorkingDir\": \"/\", \"StopSignal\": \"SIGTERM\", \"StopTimeout\": 3,"
              " \"Env\": [\"APP_NAME=web\", \"APP_REP_ID=3\", \"APP_HOST_ID=0123456789ab\", "
              "\"HOSTLET_PROBATION=0.200\","
              "           \"HOSTLET_STOP_TIMEOUT=2.500\"],"
              " \"Labels\": {\"app_name\": \"web\", \"app_rep_id\": \"3\", \"io.hostlet.tree\": \"" TREE "\","
              "              \"io.hostlet.revision\": \"12\", \"io.hostlet.config\": \"abcdef\"},"
              " \"ExposedPorts\": {\"80/tcp\": {}, \"443/tcp\": {}},"
              " \"HostConfig\": {\"NanoCpus\": 500000000, \"Memory\": 67108864, \"MemorySwap\": 67108864,"
              "   \"ShmSize\": 33554432, \"PidsLimit\": 100, \"RestartPolicy\": {\"Name\": \"no\"},"
              "   \"Ulimits\": [{\"Name\": \"nofile\", \"Soft\": 10000, \"Hard\": 10000}],"
              "   \"PortBindings\": {\"80/tcp\": [{\"HostIp\": \"0.0.0.0\", \"HostPort\": \"8080\"}],"
              "                      \"443/tcp\": [{\"HostIp\": \"0.0.0.0\", \"HostPort\": \"8443\"}]},"
              "   \"Mounts\": [{\"Type\": \"bind\", \"Source\": \"/srv/apps/i8k_web_3/opt\", \"Target\": "
              "\"/opt\", \"ReadOnly\": false},"
              "     {\"Type\": \"bind\", \"Source\": \"/srv/apps/i8k_web_3/home\", \"Target\": \"/home\", "
              "\"ReadOnly\": false},"
              "     {\"Type\": \"bind\", \"Source\": \"/srv/agents\", \"Target\": \"/run/hostlet\", "
              "\"ReadOnly\": true},"
              "     {\"Type\": \"bind\", \"Source\": \"/srv/ipk/demo/demo_1.0.0_linux_amd64\","
              "      \"Target\": \"/usr/innerstack/demo\", \"ReadOnly\": true}],"
              "   \"CapDrop\": [\"ALL\"], \"CapAdd\": " CAPABILITIES ","
              "   \"LogConfig\": {\"Type\": \"local\", \"Config\": {\"max-size\": \"1000000\", "
              "\"max-file\": \"2\", \"compress\": \"false\"}},"
              "   \"StorageOpt\": {\"size\": \"10737418240\"}}}");
}

/* The label of existing containers is a hash of this text: a new member must not appear where it is not used.
 */
static void a_request_has_no_member_that_is_not_used(void **state)
{
    (void)state;
    struct driver_create_in in = example();
    _cleanup_free_ char *text = schema_pack_text(&driver_create_schema, &in, NULL);
    assert_non_null(strstr(text, "8443"));
    assert_null(strstr(text, "protocol"));
    assert_null(strstr(text, "host_address"));
}

static void ports_are_published_by_protocol_and_address(void **state)
{
    (void)state;
    struct driver_create_in in = example();
    struct driver_port dns = {.port = 53, .host_port = 53},
                       udp = {.port = 53,
                              .host_port = 53,
                              .protocol = APP_PROTOCOL_UDP,
                              .host_address = (char *)"127.0.0.1"},
                       six = {.port = 53, .host_port = 53, .host_address = (char *)"::"};
    in.ports = (struct driver_port *[]){&dns, &udp, &six};
    in.n_ports = 3;
    _cleanup_json_ json_t *body = body_of(&in, 0);
    assert_json(json_object_get(body, "ExposedPorts"), "{\"53/tcp\": {}, \"53/udp\": {}}");
    assert_json(json_object_get(json_object_get(body, "HostConfig"), "PortBindings"),
                "{\"53/tcp\": [{\"HostIp\": \"0.0.0.0\", \"HostPort\": \"53\"}, {\"HostIp\": \"::\", "
                "\"HostPort\": \"53\"}],"
                " \"53/udp\": [{\"HostIp\": \"127.0.0.1\", \"HostPort\": \"53\"}]}");
}

static void a_container_without_inagent_runs_the_images_entrypoint(void **state)
{
    (void)state;
    struct driver_create_in in = example();
    struct schema_pair env[] = {{(char *)"COLOUR", (char *)"blue=green"}};
    in.init = APP_INIT_IMAGE;
    in.n_ports = in.n_packages = 0;
    in.cpu_limit = in.memory_limit = 0;
    in.env = env;
    in.n_env = 1;
    _cleanup_json_ json_t *body = body_of(&in, 0);
    assert_null(json_object_get(body, "Cmd"));
    assert_null(json_object_get(body, "Entrypoint"));
    assert_null(json_object_get(body, "User"));
    assert_null(json_object_get(body, "WorkingDir"));
    assert_json(json_object_get(body, "Env"),
                "[\"COLOUR=blue=green\", \"APP_NAME=web\", \"APP_REP_ID=3\", \"APP_HOST_ID=0123456789ab\"]");
    json_t *host = json_object_get(body, "HostConfig");
    assert_json(json_object_get(host, "Mounts"), "[]");
    assert_json(json_object_get(host, "PidsLimit"), "1000");
    assert_null(json_object_get(host, "StorageOpt"));
    assert_null(json_object_get(host, "Memory"));
    /* Members that no request may contain. */
    static const char *const never[] = {"Privileged",  "PidMode",    "IpcMode", "UTSMode",
                                        "UsernsMode",  "Devices",    "Binds",   "CgroupParent",
                                        "SecurityOpt", "NetworkMode"};
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        assert_null(json_object_get(host, never[i]));
    assert_json(json_object_get(host, "CapDrop"), "[\"ALL\"]");
    assert_json(json_object_get(host, "CapAdd"), CAPABILITIES);
    assert_null(json_object_get(host, "ReadonlyRootfs"));
    assert_null(json_object_get(host, "Tmpfs"));
    char *command[] = {(char *)"/bin/app", (char *)"-v"};
    in.command = command;
    in.n_command = 2;
    _cleanup_json_ json_t *own = body_of(&in, 0);
    assert_json(json_object_get(own, "Entrypoint"), "[]");
    assert_json(json_object_get(own, "Cmd"), "[\"/bin/app\", \"-v\"]");
    assert_null(json_object_get(own, "User"));
}

/* Checks what a manifest can request: no more than Docker's default set. */
static void a_manifest_can_request_only_docker_default_capabilities(void **state)
{
    (void)state;
    struct driver_create_in in = example();
    char *capabilities[] = {(char *)"NET_RAW", (char *)"AUDIT_WRITE", (char *)"CHOWN", (char *)"NET_RAW"};
    in.capabilities = capabilities;
    in.n_capabilities = ARRAY_SIZE(capabilities);
    in.read_only = in.no_new_privileges = true;
    _cleanup_json_ json_t *body = body_of(&in, 0);
    json_t *host = json_object_get(body, "HostConfig");
    assert_json(json_object_get(host, "CapDrop"), "[\"ALL\"]");
    assert_json(json_object_get(host, "CapAdd"),
                "[\"CHOWN\", \"DAC_OVERRIDE\", \"FSETID\", \"FOWNER\", \"NET_RAW\", \"SETGID\", \"SETUID\", "
                "\"SETFCAP\","
                " \"SETPCAP\", \"NET_BIND_SERVICE\", \"SYS_CHROOT\", \"KILL\", \"AUDIT_WRITE\"]");
    assert_json(json_object_get(host, "SecurityOpt"), "[\"no-new-privileges:true\"]");
    assert_json(json_object_get(host, "ReadonlyRootfs"), "true");
    assert_json(json_object_get(host, "Tmpfs"),
                "{\"/tmp\": \"rw,nosuid,nodev,exec,mode=1777,size=33554432\","
                " \"/run\": \"rw,nosuid,nodev,noexec,mode=755,size=33554432\"}");
    /* The body for an engine that does not accept a profile. */
    docker_create_without_profile(body);
    assert_json(json_object_get(host, "SecurityOpt"), "[\"no-new-privileges:true\"]");
    in.memory_limit = 0;
    _cleanup_json_ json_t *unlimited = body_of(&in, 0);
    assert_json(
        json_object_get(json_object_get(unlimited, "HostConfig"), "Tmpfs"),
        "{\"/tmp\": \"rw,nosuid,nodev,exec,mode=1777\", \"/run\": \"rw,nosuid,nodev,noexec,mode=755\"}");
    static const char *const never[] = {"SYS_ADMIN", "NET_ADMIN", "ALL",        "CAP_NET_RAW",
                                        "net_raw",   "",          "SYS_PTRACE", "DAC_READ_SEARCH"};
    for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
        struct error e = ERROR_INIT;
        struct spec spec;
        char *one[] = {(char *)"NET_RAW", (char *)never[i]};
        in.capabilities = one;
        in.n_capabilities = 2;
        assert_int_equal(spec_make(&in, &settings, &spec, &e), -EPERM);
        assert_int_equal(e.class, ERROR_REFUSED);
    }
}

/* The request contains the profile's text, which is removed for an engine that does not accept one. */
static void a_request_contains_the_seccomp_profile(void **state)
{
    (void)state;
    struct driver_create_in in = example();
    struct settings with = settings;
    struct error e = ERROR_INIT;
    struct spec spec;
    json_t *body = NULL;
    with.seccomp_profile = (char *)"{\"defaultAction\":\"SCMP_ACT_ERRNO\"}";
    assert_int_equal(spec_make(&in, &with, &spec, &e), 0);
    assert_int_equal(docker_create_body(&spec, &with, 0, &body, &e), 0);
    spec_done(&spec);
    json_t *host = json_object_get(body, "HostConfig");
    assert_json(json_object_get(host, "SecurityOpt"),
                "[\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ERRNO\\\"}\"]");
    docker_create_without_profile(body);
    assert_json(json_object_get(host, "SecurityOpt"), "[]");
    docker_create_without_profile(body);
    json_decref(body);
}

static void a_request_that_is_not_well_formed_is_refused(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct spec spec;
    char *command[] = {(char *)"x"};
    struct schema_pair reserved[] = {{(char *)"APP_NAME", (char *)"x"}},
                       odd[] = {{(char *)"A=B", (char *)"x"}};
    struct driver_package escape = {.name = (char *)"..", .id = (char *)"x"},
                          slash = {.name = (char *)"a", .id = (char *)"b/../c"},
                          hidden = {.name = (char *)"a", .id = (char *)".x"};
    struct driver_package *bad_packages[] = {&escape, &slash, &hidden},
                          *twice[] = {&demo_package, &demo_package};
    struct driver_port zero = {.port = 0, .host_port = 80}, big = {.port = 1, .host_port = 65536};
    struct driver_port *bad_ports[] = {&zero, &big}, *same[] = {&web_port, &web_port};
    struct driver_port named = {.port = 80, .host_port = 80, .host_address = (char *)"localhost"},
                       local = {.port = 81, .host_port = 8080, .host_address = (char *)"127.0.0.1"};
    struct driver_port *bad_address[] = {&named}, *within[] = {&web_port, &local};
    struct driver_create_in base = example();
#define REFUSED(errnum, ...)                                                                                 \
    do {                                                                                                     \
        struct driver_create_in in = base;                                                                   \
        __VA_ARGS__;                                                                                         \
        assert_int_equal(spec_make(&in, &settings, &spec, &e), -(errnum));                                   \
        assert_int_equal(e.class, ERROR_REFUSED);                                                            \
    } while (0)
    REFUSED(EINVAL, in.instance = (char *)"../etc");
    REFUSED(EINVAL, in.image = (char *)"../x");
    REFUSED(EINVAL, in.command = command; in.n_command = 1);
    REFUSED(EPERM, in.env = reserved; in.n_env = 1);
    REFUSED(EINVAL, in.env = odd; in.n_env = 1);
    for (size_t i = 0; i < ARRAY_SIZE(bad_packages); i++)
        REFUSED(EINVAL, in.packages = &bad_packages[i]; in.n_packages = 1);
    REFUSED(EEXIST, in.packages = twice; in.n_packages = 2);
    for (size_t i = 0; i < ARRAY_SIZE(bad_ports); i++)
        REFUSED(ERANGE, in.ports = &bad_ports[i]; in.n_ports = 1);
    REFUSED(EEXIST, in.ports = same; in.n_ports = 2);
    REFUSED(EEXIST, in.ports = within; in.n_ports = 2);
    REFUSED(EINVAL, in.ports = bad_address; in.n_ports = 1);
    REFUSED(ERANGE, in.memory_limit = -1);
    REFUSED(ERANGE, in.cpu_limit = INT64_MAX);
}

static void a_container_in_the_zones_network_gets_its_address(void **state)
{
    (void)state;
    static const struct {
        const char *address, *cidr;
        int errnum;
        enum error_class class;
    } cases[] = {
        {"10.10.3.7", "10.10.3.0/24", 0, 0},
        {"172.31.255.2", "172.31.0.0/16", 0, 0},
        {"192.168.9.10", "192.168.9.8/29", 0, 0},
        {"10.10.3.7", NULL, EAGAIN, ERROR_RETRY},
        {"10.10.3.7", "10.10.3.0", EINVAL, ERROR_REFUSED},
        {"10.10.3.7", "10.10.3.0/31", EINVAL, ERROR_REFUSED},
        {"10.10.3.7", "10.10.3.1/24", EINVAL, ERROR_REFUSED},
        {"10.10.3.7", "10.10.3.0/24 --x", EINVAL, ERROR_REFUSED},
        {"10.10.3", "10.10.3.0/24", EINVAL, ERROR_REFUSED},
        {"8.8.8.8", "8.8.8.0/24", EINVAL, ERROR_REFUSED},
        {"172.32.0.2", "172.32.0.0/16", EINVAL, ERROR_REFUSED},
        {"10.10.4.7", "10.10.3.0/24", ERANGE, ERROR_REFUSED},
        {"10.10.3.0", "10.10.3.0/24", ERANGE, ERROR_REFUSED},
        {"10.10.3.1", "10.10.3.0/24", ERANGE, ERROR_REFUSED},
        {"10.10.3.255", "10.10.3.0/24", ERANGE, ERROR_REFUSED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct driver_create_in in = example();
        struct error e = ERROR_INIT;
        struct spec spec = {0};
        in.vpc_ipv4 = (char *)cases[i].address;
        in.vpc_cidr = (char *)cases[i].cidr;
        int r = spec_make(&in, &settings, &spec, &e);
        if (r != -cases[i].errnum || (r < 0 && e.class != cases[i].class))
            fail_msg("%s in %s gave %d: %s", cases[i].address, cases[i].cidr ?: "none", r, e.message);
        spec_done(&spec);
    }
    struct driver_create_in in = example();
    in.vpc_ipv4 = (char *)"10.10.3.7";
    in.vpc_cidr = (char *)"10.10.3.0/24";
    _cleanup_json_ json_t *body = body_of(&in, 0);
    assert_json(json_object_get(json_object_get(body, "HostConfig"), "NetworkMode"), "\"invpc2_docker\"");
    assert_json(
        json_object_get(body, "NetworkingConfig"),
        "{\"EndpointsConfig\": {\"invpc2_docker\": {\"IPAMConfig\": {\"IPv4Address\": \"10.10.3.7\"}}}}");
}

static void the_zones_name_servers_are_for_containers_in_its_network(void **state)
{
    (void)state;
    static char *own[] = {(char *)"192.0.2.1"}, *zone[] = {(char *)"10.0.0.53", (char *)"10.0.0.54"};
    static const struct {
        bool has_own, has_zone, in_network;
        const char *dns;
    } cases[] = {{false, false, true, NULL},
                 {true, false, true, "[\"192.0.2.1\"]"},
                 {true, true, true, "[\"10.0.0.53\", \"10.0.0.54\"]"},
                 {true, true, false, "[\"192.0.2.1\"]"},
                 {false, true, false, NULL}};
    struct words before = settings.dns;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct driver_create_in in = example();
        settings.dns = (struct words){own, cases[i].has_own};
        settings.zone_dns = (struct words){zone, cases[i].has_zone ? 2 : 0};
        in.vpc_ipv4 = cases[i].in_network ? (char *)"10.10.3.7" : NULL;
        in.vpc_cidr = (char *)"10.10.3.0/24";
        _cleanup_json_ json_t *body = body_of(&in, 0);
        json_t *dns = json_object_get(json_object_get(body, "HostConfig"), "Dns");
        if (cases[i].dns)
            assert_json(dns, cases[i].dns);
        else
            assert_null(dns);
    }
    settings.dns = before;
    settings.zone_dns = (struct words){.n = 0};
}

static const char container_text[] =
    "{\"Id\": \"abc\", \"Name\": \"/i8k_web_3.old\", \"Image\": \"sha256:1\", \"RestartCount\": 2,"
    " \"State\": {\"Status\": \"exited\", \"ExitCode\": 137, \"Error\": \"\", \"OOMKilled\": true,"
    "   \"StartedAt\": \"2024-05-01T10:00:00.123456789Z\", \"FinishedAt\": \"2024-05-01T12:00:01.5+02:00\"},"
    " \"Config\": {\"Image\": \"nginx:1\", \"Labels\": {\"io.hostlet.tree\": \"" TREE
    "\", \"io.hostlet.revision\": \"12\","
    "   \"io.hostlet.config\": \"abcdef\"}},"
    " \"HostConfig\": {\"NanoCpus\": 500000000, \"Memory\": 67108864, \"RestartPolicy\": {\"Name\": "
    "\"always\"},"
    "   \"PortBindings\": {\"80/tcp\": [{\"HostIp\": \"\", \"HostPort\": \"8080\"}, {\"HostIp\": \"::\", "
    "\"HostPort\": \"8081\"}], \"9/sctp\": [{\"HostPort\": \"9\"}], \"53/udp\": [{\"HostPort\": \"53\"}, "
    "{\"HostIp\": \"127.0.0.1\", \"HostPort\": \"53\"}]}}}";

static void an_inspection_is_read(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    _cleanup_json_ json_t *answer = json_loads(container_text, 0, NULL);
    _cleanup_driver_container_ struct driver_container *c = NULL, *foreign = NULL, *none = NULL;
    assert_int_equal(docker_read_container(answer, TREE, false, &c, &e), 0);
    assert_string_equal(c->name, "i8k_web_3.old");
    assert_string_equal(c->instance, "web");
    assert_int_equal(c->replica_id, 3);
    assert_int_equal(c->slot, DRIVER_SLOT_OLD);
    assert_true(c->ours);
    assert_null(c->owner);
    assert_int_equal(c->state, DRIVER_EXITED);
    assert_int_equal(c->exit_code, 137);
    assert_true(c->oom_killed);
    assert_null(c->error);
    assert_int_equal(c->started_at, 1714557600123);
    assert_int_equal(c->finished_at, 1714557601500);
    assert_int_equal(c->restart, DRIVER_RESTART_ALWAYS);
    assert_int_equal(c->restart_count, 2);
    assert_int_equal(c->revision, 12);
    assert_string_equal(c->config, "abcdef");
    assert_int_equal(c->cpu_limit, 500);
    assert_int_equal(c->memory_limit, 67108864);
    assert_int_equal(c->n_ports, 4);
    assert_int_equal(c->ports[0]->host_port, 8080);
    assert_int_equal(c->ports[0]->protocol, APP_PROTOCOL_ABSENT);
    assert_null(c->ports[0]->host_address);
    assert_int_equal(c->ports[1]->host_port, 8081);
    assert_string_equal(c->ports[1]->host_address, "::");
    assert_int_equal(c->ports[2]->host_port, 53);
    assert_int_equal(c->ports[2]->protocol, APP_PROTOCOL_UDP);
    assert_null(c->ports[2]->host_address);
    assert_int_equal(c->ports[3]->protocol, APP_PROTOCOL_UDP);
    assert_string_equal(c->ports[3]->host_address, "127.0.0.1");
    assert_int_equal(docker_read_container(answer, "another", false, &foreign, &e), 0);
    assert_false(foreign->ours);
    assert_non_null(strstr(foreign->owner, TREE));
    json_object_set_new(answer, "Name", json_string("/somebody"));
    assert_int_equal(docker_read_container(answer, TREE, false, &none, &e), 0);
    assert_null(none);
}

static struct driver_container *read_named(const char *name, const char *labels, bool by_labels)
{
    struct error e = ERROR_INIT;
    struct driver_container *c = NULL;
    _cleanup_json_ json_t *answer = json_loads(container_text, 0, NULL);
    json_object_set_new(answer, "Name", json_string(name));
    json_object_set_new(json_object_get(answer, "Config"), "Labels", json_loads(labels, 0, NULL));
    if (docker_read_container(answer, TREE, by_labels, &c, &e) < 0)
        fail_msg("%s: %s", name, e.message);
    return c;
}

/* The name tells the replica when a container is searched by its name, and the labels tell it when it is
 * searched by its id. */
static void a_renamed_container_is_the_one_of_its_labels(void **state)
{
    (void)state;
#define LABELS(name, id) "\"app_name\": \"" name "\", \"app_rep_id\": \"" id "\""
#define OWN              "\"io.hostlet.tree\": \"" TREE "\""
    static const struct {
        const char *name, *labels;
        bool by_labels, none, ours, misnamed;
        const char *instance;
        int64_t id;
        int slot;
    } rows[] = {
        {"/i8k_web_0", "{" OWN ", " LABELS("web", "0") "}", .ours = true, .instance = "web"},
        {"/i8k_web_0", "{" OWN "}", .ours = true, .instance = "web"},
        {"/i8k_web_0", "{" OWN ", " LABELS("web", "00") "}", .ours = true, .instance = "web"},
        {"/i8k_web_0.old", "{" OWN ", " LABELS("web", "0") "}", .ours = true, .instance = "web",
         .slot = DRIVER_SLOT_OLD},
        {"/i8k_web_0", "{" OWN ", " LABELS("api", "0") "}", .misnamed = true, .instance = "web"},
        {"/i8k_web_0", "{" OWN ", " LABELS("web", "1") "}", .misnamed = true, .instance = "web"},
        {"/i8k_web_0", "{" LABELS("api", "0") "}", .misnamed = true, .instance = "web"},
        {"/other", "{" OWN ", " LABELS("web", "0") "}", .none = true},
        {"/other", "{" OWN ", " LABELS("web", "3") "}", .by_labels = true, .ours = true, .instance = "web",
         .id = 3},
        {"/i8k_api_1.old", "{" OWN ", " LABELS("web", "3") "}", .by_labels = true, .ours = true,
         .instance = "web", .id = 3},
        {"/i8k_web_3.old", "{" OWN ", " LABELS("web", "3") "}", .by_labels = true, .ours = true,
         .instance = "web", .id = 3, .slot = DRIVER_SLOT_OLD},
        {"/other", "{" LABELS("web", "3") "}", .by_labels = true, .instance = "web", .id = 3},
        {"/other", "{" OWN "}", .by_labels = true, .none = true},
        {"/other", "{" OWN ", " LABELS("Web", "3") "}", .by_labels = true, .none = true},
        {"/other", "{" OWN ", " LABELS("web", "128") "}", .by_labels = true, .none = true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_driver_container_ struct driver_container *c =
            read_named(rows[i].name, rows[i].labels, rows[i].by_labels);
        assert_int_equal(c == NULL, rows[i].none);
        if (!c)
            continue;
        assert_string_equal(c->name, rows[i].name + 1);
        assert_string_equal(c->instance, rows[i].instance);
        assert_int_equal(c->replica_id, rows[i].id);
        assert_int_equal(c->slot, rows[i].slot);
        if (c->ours != rows[i].ours || c->misnamed != rows[i].misnamed)
            fail_msg("row %zu: ours %d, misnamed %d", i, c->ours, c->misnamed);
        assert_int_equal(c->owner == NULL, c->ours);
    }
}

static struct driver_container *read_with(const char *path, const char *value)
{
    struct error e = ERROR_INIT;
    struct driver_container *c = NULL;
    _cleanup_json_ json_t *answer = json_loads(container_text, 0, NULL);
    json_object_set_new(answer, path, json_loads(value, 0, NULL));
    if (docker_read_container(answer, TREE, false, &c, &e) < 0)
        fail_msg("%s: %s", path, e.message);
    return c;
}

static void network_and_lxcfs_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *networks, *address;
    } cases[] = {
        {"{\"Networks\": {\"bridge\": {\"IPAddress\": \"172.17.0.2\"}}}", NULL},
        {"{\"Networks\": {\"invpc2_docker\": {\"IPAddress\": \"10.1.1.3\", \"IPAMConfig\": null}}}",
         "10.1.1.3"},
        /* A container that does not run still has its configured address. */
        {"{\"Networks\": {\"invpc2_docker\": {\"IPAddress\": \"\", \"IPAMConfig\": {\"IPv4Address\": "
         "\"10.1.1.4\"}}}}",
         "10.1.1.4"},
        {"{\"Networks\": {\"invpc2_docker\": {\"IPAddress\": \"\", \"IPAMConfig\": {}}}}", NULL},
        {"{\"Networks\": null}", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_driver_container_ struct driver_container *c =
            read_with("NetworkSettings", cases[i].networks);
        if (!streq_null(c->vpc_ipv4, cases[i].address))
            fail_msg("%s gave %s", cases[i].networks, c->vpc_ipv4 ?: "none");
        assert_false(c->lxcfs);
    }
    json_t *mounts = json_pack("[{s:s}, {s:s}]", "Destination", "/opt", "Destination", "/proc/meminfo");
    _cleanup_free_ char *text = json_dumps(mounts, 0);
    json_decref(mounts);
    _cleanup_driver_container_ struct driver_container *c = read_with("Mounts", text);
    assert_true(c->lxcfs);
    container_complete(&settings, c);
    assert_true(c->lxcfs_differs); /* the settings disable lxcfs */
}

/* A member that is absent or has another type causes an error that names it, or has a default value; it never
 * causes a crash. */
static void a_malformed_inspection_fails_or_has_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *path, *value;
        int r;
    } cases[] = {
        {"Name", "5", -EPROTO},
        {"Name", NULL, -EPROTO},
        {"Id", "null", -EPROTO},
        {"State", "[]", -EPROTO},
        {"State", NULL, -EPROTO},
        {"Config", "\"x\"", -EPROTO},
        {"Config", NULL, 0},
        {"HostConfig", "null", 0},
        {"NetworkSettings", "[]", -EPROTO},
        {"NetworkSettings", "{\"Networks\": {\"invpc2_docker\": {\"IPAddress\": 5}}}", -EPROTO},
        {"Mounts", "{}", -EPROTO},
        {"Mounts", "[{\"Destination\": 7}]", -EPROTO},
        {"HostConfig", "{\"PortBindings\": []}", -EPROTO},
        {"RestartCount", "\"many\"", -EPROTO},
        {"HostConfig", "{\"PortBindings\": {\"80/tcp\": null, \"x\": 1}}", 0},
        {"HostConfig", "{\"PortBindings\": {\"80/tcp\": [1]}}", -EPROTO},
        {"HostConfig", "{\"PortBindings\": {\"80/tcp\": [{\"HostPort\": \"99999\"}], \"/tcp\": []}}", 0},
        {"State", "{\"Status\": \"dancing\"}", -EPROTO},
        {"State", "{\"Status\": \"exited\", \"StartedAt\": \"yesterday\"}", -EPROTO},
        {"State", "{\"Status\": \"created\", \"StartedAt\": \"0001-01-01T00:00:00Z\"}", 0},
        {"Config", "{\"Labels\": {\"io.hostlet.revision\": \"-7\"}}", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        _cleanup_json_ json_t *answer = json_loads(container_text, 0, NULL);
        _cleanup_driver_container_ struct driver_container *c = NULL;
        if (cases[i].value)
            json_object_set_new(answer, cases[i].path, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        else
            json_object_del(answer, cases[i].path);
        int r = docker_read_container(answer, TREE, false, &c, &e);
        if (r != cases[i].r)
            fail_msg("%s = %s gave %d: %s", cases[i].path, cases[i].value ?: "absent", r, e.message);
        if (r < 0)
            assert_non_null(strstr(e.message, "makes no sense: "));
    }
    _cleanup_json_ json_t *array = json_array();
    _cleanup_driver_container_ struct driver_container *c = NULL;
    struct error e = ERROR_INIT;
    assert_int_equal(docker_read_container(array, TREE, false, &c, &e), -EPROTO);
}

static void images_and_info_are_read(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    _cleanup_json_ json_t *text =
        json_loads("{\"Id\": \"sha256:2\", \"RepoTags\": [\"nginx:1\"], \"RepoDigests\": null,"
                   " \"Size\": 42, \"Config\": {\"User\": \"\", \"Entrypoint\": [\"/e\"], \"Cmd\": null}}",
                   0, NULL);
    _cleanup_driver_image_ struct driver_image *i = NULL;
    assert_int_equal(docker_read_image(text, &i, &e), 0);
    assert_string_equal(i->id, "sha256:2");
    assert_int_equal(i->n_tags, 1);
    assert_int_equal(i->n_digests, 0);
    assert_int_equal(i->n_entrypoint, 1);
    assert_null(i->user);
    struct driver_info_out info = {0};
    _cleanup_json_ json_t *answer =
        json_loads("{\"ServerVersion\": \"20.10.24\", \"Driver\": \"overlay2\", \"NCPU\": 2,"
                   " \"Architecture\": \"x86_64\", \"MemTotal\": 8, \"LiveRestoreEnabled\": true}",
                   0, NULL);
    assert_int_equal(docker_read_info(answer, &info, &e), 0);
    assert_string_equal(info.arch, "amd64");
    assert_int_equal(info.cpus, 2);
    assert_true(info.live_restore);
    driver_info_done(&info);
    json_object_set_new(answer, "NCPU", json_string("two"));
    assert_int_equal(docker_read_info(answer, &info, &e), -EPROTO);
}

static void the_newest_common_version_is_chosen(void **state)
{
    (void)state;
    static const struct {
        const char *newest, *oldest, *chosen;
        int r;
    } cases[] = {
        {"1.41", "1.12", "1.41", 0},
        {"1.99", "1.44", DOCKER_API_MAX, 0},
        {"1.40", NULL, "1.40", 0},
        {"1.39", "1.12", NULL, -EPROTONOSUPPORT},
        {"2.0", "2.0", NULL, -EPROTONOSUPPORT},
        {"", "", NULL, -EPROTO},
        {"one", NULL, NULL, -EPROTO},
        {"1.41x", NULL, NULL, -EPROTO},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        _cleanup_free_ char *chosen = NULL;
        assert_int_equal(docker_choose_version(cases[i].newest, cases[i].oldest, &chosen, &e), cases[i].r);
        assert_true(streq_null(chosen, cases[i].chosen));
    }
}

static struct adopted *adopted;

static int events(const char *line, struct driver_event out[static DOCKER_EVENT_REPLICAS], struct error *e)
{
    return docker_read_event(line, strlen(line), TREE, adopted, out, e);
}

static int event(const char *line, struct driver_event *out, struct error *e)
{
    struct driver_event all[DOCKER_EVENT_REPLICAS] = {{0}};
    int n = events(line, all, e);
    assert_true(n <= 1);
    *out = all[0];
    return n;
}

/* The event concerns the replica of the labels, and those whose names the container has and had. */
static void a_rename_concerns_up_to_three_replicas(void **state)
{
    (void)state;
    static const struct {
        const char *name, *old_name, *labels, *concerned;
    } rows[] = {
        {"other", "/i8k_web_0", "\"app_name\":\"web\",\"app_rep_id\":\"0\"", "web/0/0"},
        {"other", "/i8k_web_0", "\"app_name\":\"?\",\"app_rep_id\":\"0\"", "web/0/0"},
        {"other", "/another", "\"app_name\":\"web\",\"app_rep_id\":\"0\"", "web/0/0"},
        {"i8k_web_0.old", "/i8k_web_0", "\"app_name\":\"web\",\"app_rep_id\":\"0\"", "web/0/1"},
        {"i8k_api_1", "/i8k_web_0", "\"app_name\":\"web\",\"app_rep_id\":\"0\"", "web/0/0 api/1/0"},
        {"i8k_api_1", "/i8k_db1_2.old", "\"app_name\":\"web\",\"app_rep_id\":\"0\"",
         "web/0/0 api/1/0 db1/2/1"},
        {"other", "/another", "\"app_name\":\"?\",\"app_rep_id\":\"0\"", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error e = ERROR_INIT;
        struct driver_event out[DOCKER_EVENT_REPLICAS];
        _cleanup_free_ char *line = xasprintf(
            "{\"Type\":\"container\",\"Action\":\"rename\",\"Actor\":{\"ID\":\"abc\",\"Attributes\":{"
            "\"" LABEL_TREE "\":\"" TREE "\",\"name\":\"%s\",\"oldName\":\"%s\",%s}}}",
            rows[i].name, rows[i].old_name, rows[i].labels);
        _cleanup_free_ char *concerned = xstrdup("");
        int n = events(line, out, &e);
        for (int k = 0; k < n; k++) {
            char *longer = xasprintf("%s%s%s/%lld/%d", concerned, k ? " " : "", out[k].instance,
                                     (long long)out[k].replica_id, out[k].slot);
            free(concerned);
            concerned = longer;
            assert_string_equal(out[k].id, "abc");
            driver_event_done(&out[k]);
        }
        assert_string_equal(concerned, rows[i].concerned);
    }
}

static void events_are_read(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct driver_event out;
    assert_int_equal(event("{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"1\","
                           "\"Attributes\":{\"exitCode\":\"3\",\"" LABEL_TREE "\":\"" TREE "\","
                           "\"name\":\"i8k_web_3\"}},\"timeNano\":1}",
                           &out, &e),
                     1);
    assert_string_equal(out.instance, "web");
    assert_string_equal(out.action, "die");
    assert_int_equal(out.exit_code, 3);
    driver_event_done(&out);
    assert_int_equal(event("{\"Type\":\"container\",\"Action\":\"exec_create: "
                           "sh\",\"Actor\":{\"Attributes\":{\"name\":\"i8k_web_3\"}}}",
                           &out, &e),
                     0);
    assert_int_equal(
        event("{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"Attributes\":{\"name\":\"other\"}}}",
              &out, &e),
        0);
    assert_int_equal(event("{\"Type\":\"network\",\"Action\":\"destroy\",\"Actor\":{\"Attributes\":{\"name\":"
                           "\"i8k_web_3\"}}}",
                           &out, &e),
                     0);
    assert_int_equal(event("{}", &out, &e), 0);
    assert_int_equal(event("{\"Type\":5}", &out, &e), -EPROTO);
    assert_int_equal(event("{\"Type\":\"contai", &out, &e), -EPROTO);
}

/* Makes a container with only an id and a name, which are all that the ledger reads. */
static struct driver_container plain(const char *id)
{
    return (struct driver_container){
        .id = (char *)id, .name = (char *)"i8k_web_3", .owner = xstrdup("somebody")};
}

static void the_ledger_is_durable_and_claims_its_containers(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    char directory[] = "/tmp/hostlet-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    _cleanup_free_ char *path = xasprintf("%s/adopted.json", directory);
    struct driver_container first = plain("aaa"), second = plain("bbb");
    assert_int_equal(adopted_load(path, &adopted, &e), 0);
    assert_true(adopted_is_empty(adopted));
    adopted_claim(adopted, &first);
    assert_false(first.ours);
    assert_int_equal(adopted_add(adopted, &first, 7, false, &e), 0);
    assert_int_equal(adopted_add(adopted, &second, 8, false, &e), 0);
    assert_int_equal(adopted_add(adopted, &second, 9, false, &e), 0);
    adopted_drop(adopted, "nothing");
    adopted_free(adopted);
    assert_int_equal(adopted_load(path, &adopted, &e), 0);
    adopted_claim(adopted, &first);
    adopted_claim(adopted, &second);
    assert_true(first.ours && first.adopted && !first.owner);
    assert_int_equal(first.revision, 7);
    assert_int_equal(second.revision, 9);

    struct driver_event out;
    const char *line = "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"bbb\",\"Attributes\":"
                       "{\"exitCode\":\"3\",\"name\":\"i8k_web_3\"}},\"timeNano\":1}";
    assert_int_equal(event(line, &out, &e), 1);
    driver_event_done(&out);
    adopted_drop(adopted, "bbb");
    assert_int_equal(event(line, &out, &e), 0);
    adopted_free(adopted);
    assert_int_equal(adopted_load(path, &adopted, &e), 0);
    assert_true(adopted_has(adopted, "aaa") && !adopted_has(adopted, "bbb"));
    adopted_free(adopted);
    adopted = NULL;

    static const char *const bad[] = {"", "{", "{\"format\":2,\"containers\":[]}",
                                      "{\"format\":1,\"containers\":[{\"id\":1}]}"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(replace_file(path, bad[i], strlen(bad[i]), 0600, &e), 0);
        assert_true(adopted_load(path, &adopted, &e) < 0);
        assert_non_null(strstr(e.message, "adopted.json"));
    }
    assert_int_equal(remove_tree_at(AT_FDCWD, directory, NULL), 0);
}

static void progress_is_summed_up(void **state)
{
    (void)state;
    static const char *const lines_in[] = {
        "{\"status\":\"Pulling from library/x\",\"id\":\"latest\"}",
        "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":10,\"total\":100},\"id\":\"a\"}",
        "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":500,\"total\":50},\"id\":\"b\"}",
        "{\"status\":\"Extracting\",\"progressDetail\":{\"current\":1,\"total\":100},\"id\":\"a\"}",
        "{\"status\":\"Verifying Checksum\",\"progressDetail\":{},\"id\":\"b\"}",
    };
    struct progress p = {0};
    struct error e = ERROR_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(lines_in); i++)
        assert_int_equal(progress_line(&p, lines_in[i], strlen(lines_in[i]), &e), 0);
    int64_t done, total;
    progress_sum(&p, &done, &total);
    assert_int_equal(total, 150);
    assert_int_equal(done, 150);
    assert_string_equal(p.status, "b: Verifying Checksum");
    static const struct {
        const char *message;
        enum error_class class;
    } failures[] = {
        {"manifest for x:1 not found: manifest unknown", ERROR_NOT_FOUND},
        {"pull access denied for x, repository does not exist or may require 'docker login'",
         ERROR_NOT_FOUND},
        {"unauthorized: authentication required", ERROR_FAILED},
        {"Get \\\"http://r/v2/\\\": dial tcp: connect: connection refused", ERROR_RETRY},
        {"net/http: request canceled (Client.Timeout exceeded)", ERROR_RETRY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
        _cleanup_free_ char *line =
            xasprintf("{\"errorDetail\":{\"message\":\"%s\"},\"error\":\"x\"}", failures[i].message);
        assert_true(progress_line(&p, line, strlen(line), &e) < 0);
        if (e.class != failures[i].class)
            fail_msg("'%s' is %s", failures[i].message, error_class_to_string(e.class));
    }
    assert_int_equal(progress_line(&p, "nonsense", 8, &e), -EPROTO);
    assert_int_equal(progress_line(&p, "{\"id\":7}", 8, &e), -EPROTO);
    progress_done(&p);
}

static void refusals_have_classes(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    docker_refusal("start x", 500, "{\"message\":\"port is\\nallocated\"}", 32, &e);
    assert_int_equal(e.class, ERROR_FAILED);
    assert_string_equal(e.message, "cannot start x: Docker says: port is allocated (status 500)");
    static const char passing[] =
        "{\"message\":\"failed to create shim: context deadline exceeded: unknown\"}";
    assert_int_equal(docker_refusal("x", 500, passing, sizeof passing - 1, &e), -EAGAIN);
    assert_int_equal(e.class, ERROR_RETRY);
    assert_int_equal(docker_refusal("x", 404, "", 0, &e), -ENOENT);
    assert_int_equal(e.class, ERROR_NOT_FOUND);
    assert_int_equal(docker_refusal("x", 409, "[1]", 3, &e), -EEXIST);
    assert_int_equal(docker_refusal("x", 503, "\xff\xfe", 2, &e), -EAGAIN);
    assert_int_equal(e.class, ERROR_RETRY);
    assert_non_null(strstr(e.message, "not UTF-8"));
}

static int collect(char *line, size_t size, void *userdata)
{
    char *all = userdata;
    assert_int_equal(strlen(line), size);
    strcat(strcat(all, line), "|");
    return 0;
}

static void a_stream_is_split_into_lines(void **state)
{
    (void)state;
    static const char input[] = "one\r\n\n\ntwo\nthree";
    for (size_t step = 1; step < sizeof input; step++) {
        struct lines l = {.max = 8};
        char all[64] = "";
        for (size_t i = 0; i < sizeof input - 1; i += step)
            assert_int_equal(lines_feed(&l, input + i,
                                        step < sizeof input - 1 - i ? step : sizeof input - 1 - i, collect,
                                        all, NULL),
                             0);
        assert_string_equal(all, "one|two|");
        lines_done(&l);
    }
    struct lines l = {.max = 8};
    char all[64] = "";
    assert_int_equal(lines_feed(&l, "12345678\n", 9, collect, all, NULL), 0);
    assert_int_equal(lines_feed(&l, "12345", 5, collect, all, NULL), 0);
    assert_int_equal(lines_feed(&l, "6789", 4, collect, all, NULL), -EMSGSIZE);
    lines_done(&l);
}

static void unprintable_text_is_replaced(void **state)
{
    (void)state;
    _cleanup_free_ char *a = clean_text("a\x1b[31m\nb\n\n", 100),
                        *b = clean_text("\xc3\xa4\xc3\xa4\xc3\xa4", 3);
    assert_string_equal(a, "a [31m b");
    assert_string_equal(b, "\xc3\xa4…");
}

static void a_tail_contains_the_last_lines(void **state)
{
    (void)state;
    struct tail t = {.max = 3};
    char **out = NULL;
    size_t n;
    /* Pieces of the two streams arrive interleaved; each stream has its own lines. */
    tail_piece(1, "one\ntw", 6, &t);
    tail_piece(2, "error\r\n", 7, &t);
    tail_piece(1, "o\n\n", 3, &t);
    tail_piece(2, "no \x1b[1mend \xff\xc3\xa4", 14, &t);
    tail_take(&t, &out, &n);
    assert_int_equal(n, 3);
    assert_string_equal(out[0], "two");
    assert_string_equal(out[1], "");
    assert_string_equal(out[2], "no  [1mend ?\xc3\xa4");
    for (size_t i = 0; i < n; i++)
        free(out[i]);
    free(out);
    tail_done(&t);
    struct tail empty = {.max = 5}, longer = {.max = 1};
    tail_take(&empty, &out, &n);
    assert_int_equal(n, 0);
    free(out);
    tail_done(&empty);
    char huge[3000];
    memset(huge, 'x', sizeof huge);
    for (int i = 0; i < 3; i++)
        tail_piece(1, huge, sizeof huge, &longer);
    tail_take(&longer, &out, &n);
    assert_int_equal(n, 1);
    assert_int_equal(strlen(out[0]), TAIL_LINE_MAX);
    free(out[0]);
    free(out);
    tail_done(&longer);
}

static void null_images_behave_by_name(void **state)
{
    (void)state;
    struct null_behaviour b = null_behaviour_of("null/exit-3:x");
    assert_true(b.exits && b.exit_code == 3 && b.exit_after_usec == 0);
    b = null_behaviour_of("null/exit-7-after-250");
    assert_true(b.exits && b.exit_code == 7 && b.exit_after_usec == 250 * USEC_PER_MSEC);
    assert_int_equal(null_behaviour_of("null/slow:40").slow_usec, 40 * USEC_PER_MSEC);
    assert_true(null_behaviour_of("missing/x").missing);
    assert_true(null_behaviour_of("docker.io/pull/x:1").pulled);
    assert_true(null_behaviour_of("null/start-fails").start_fails);
    b = null_behaviour_of("null/exit-3x");
    assert_false(b.exits);
    b = null_behaviour_of("nginx");
    assert_false(b.exits || b.missing || b.pulled || b.start_fails || b.slow_usec);
}

/* --- the group of Docker's socket --- */

static int group_at(const char *dir, const char *name, gid_t *ret)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    struct error e = ERROR_INIT;
    int r = socket_group(path, ret, &e);
    assert_true(r == 0 || strstr(e.message, path));
    return r;
}

static void make_socket(int dir, const char *name, uid_t uid, gid_t gid)
{
    assert_int_equal(mknodat(dir, name, S_IFSOCK | 0660, 0), 0);
    assert_int_equal(fchownat(dir, name, uid, gid, 0), 0);
}

static void make_link(int dir, const char *target, const char *name, uid_t uid)
{
    assert_int_equal(symlinkat(target, dir, name), 0);
    assert_int_equal(fchownat(dir, name, uid, uid, AT_SYMLINK_NOFOLLOW), 0);
}

static void the_group_of_the_socket_needs_a_trusted_path(void **state)
{
    (void)state;
    char base[] = "/tmp/hostlet-test-socket-XXXXXX";
    gid_t gid = 0;
    if (geteuid() != 0) {
        print_message("skip the_group_of_the_socket_needs_a_trusted_path: needs root\n");
        skip();
    }
    assert_non_null(mkdtemp(base));
    _cleanup_close_ int dir = open(base, O_RDONLY | O_DIRECTORY);
    make_socket(dir, "root", 0, 1234);
    make_socket(dir, "user", 1001, 1001);
    assert_int_equal(mkdirat(dir, "theirs", 0755), 0);
    make_socket(dir, "theirs/own", 1001, 1001);
    make_socket(dir, "theirs/root", 0, 1234);
    assert_int_equal(fchownat(dir, "theirs", 1001, 1001, 0), 0);
    make_link(dir, "root", "by-root", 0);
    make_link(dir, "root", "by-user", 1001);
    make_link(dir, "user", "to-own", 1001);
    make_link(dir, "theirs", "way", 0);
    make_link(dir, "../theirs/../root", "theirs/up", 0);
    make_link(dir, "loop", "loop", 0);
    _cleanup_free_ char *whole = xasprintf("%s/root", base);
    make_link(dir, whole, "absolute", 0);
    make_link(dir, whole, "absolute-by-user", 1001);

    assert_int_equal(group_at(base, "root", &gid), 0);
    assert_int_equal(gid, 1234);
    assert_int_equal(group_at(base, "by-root", &gid), 0);
    assert_int_equal(group_at(base, "absolute", &gid), 0);
    assert_int_equal(gid, 1234);
    assert_int_equal(group_at(base, "to-own", &gid), 0);
    assert_int_equal(group_at(base, "way/own", &gid), 0);
    assert_int_equal(group_at(base, ".//theirs/own", &gid), 0);
    assert_int_equal(gid, 1001);
    static const char *const refused[] = {"by-user",  "absolute-by-user", "theirs/root",
                                          "way/root", "theirs/up",        "theirs/../root"};
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        assert_int_equal(group_at(base, refused[i], &gid), -EPERM);
    assert_int_equal(group_at(base, "missing", &gid), -ENOENT);
    assert_int_equal(group_at(base, "missing/x", &gid), -ENOENT);
    assert_int_equal(group_at(base, "root/x", &gid), -ENOTDIR);
    assert_int_equal(group_at(base, "loop", &gid), -ELOOP);
    assert_int_equal(group_at(base, "theirs", &gid), -ENOTSOCK);
    assert_int_equal(gid, 1001);
    assert_int_equal(remove_tree_at(AT_FDCWD, base, NULL), 0);
}

/* Checks which labels make a container adoptable, and that each other one has a reason. */
static void only_the_labels_of_the_original_make_a_container_adoptable(void **state)
{
    (void)state;
    static const struct {
        const char *tree, *app_name, *app_rep_id;
        int slot;
        const char *misfit; /* a part of it; NULL: the container is adoptable or this tree's */
    } cases[] = {
        {NULL, "web", "7", DRIVER_SLOT_CURRENT, NULL},
        {TREE, NULL, NULL, DRIVER_SLOT_CURRENT, NULL},
        {"another", "web", "7", DRIVER_SLOT_CURRENT, "another hostlet tree (another)"},
        {NULL, NULL, NULL, DRIVER_SLOT_CURRENT, "lacks the labels"},
        {NULL, "web", NULL, DRIVER_SLOT_CURRENT, "lacks the labels"},
        {NULL, "web", "8", DRIVER_SLOT_CURRENT, "app_name 'web' and app_rep_id '8'"},
        {NULL, "web", "07", DRIVER_SLOT_CURRENT, "app_rep_id '07'"},
        {NULL, "we\nb", "7", DRIVER_SLOT_CURRENT, "app_name 'we b'"},
        {NULL, "web", "7", DRIVER_SLOT_OLD, "put aside"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct driver_container *c = xcalloc(1, sizeof *c);
        const struct owner_labels labels = {cases[i].tree, cases[i].app_name, cases[i].app_rep_id};
        c->instance = xstrdup("web");
        c->replica_id = 7;
        c->slot = cases[i].slot;
        owner_set(c, TREE, &labels);
        assert_int_equal(c->ours, streq_null(cases[i].tree, TREE));
        assert_int_equal(c->adoptable, !c->ours && !cases[i].misfit);
        if (cases[i].misfit ? !c->misfit || !strstr(c->misfit, cases[i].misfit) : c->misfit != NULL)
            fail_msg("case %zu: '%s'", i, c->misfit ?: "(none)");
        driver_container_free(c);
    }
}

static void containers_with_labels_under_other_names_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *item, *name; /* NULL: none is found */
    } cases[] = {
        {"{'Id':'a','Names':['/by-hand'],'State':'running','Labels':{'app_name':'web','app_rep_id':'1'}}",
         "by-hand"},
        {"{'Id':'a','Names':[],'State':'odd','Labels':{'app_name':'web','app_rep_id':'1'}}", ""},
        {"{'Id':'a','Names':['/x/link','/i8k_web_1'],'State':'running','Labels':{'app_name':'web'}}", NULL},
        {"{'Id':'a','Names':['/by-hand'],'State':'running','Labels':{'io.hostlet.tree':'" TREE "'}}", NULL},
        {"{'Id':5,'Names':['/by-hand'],'State':'running'}", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        struct reading r = {.what = "the list", .error = &e};
        _cleanup_free_ char *text = xstrdup(cases[i].item);
        for (char *c = text; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        _cleanup_json_ json_t *item = json_loads(text, 0, NULL);
        assert_non_null(item);
        struct driver_container *c = docker_read_misnamed(&r, item);
        assert_true(streq_null(c ? c->name : NULL, cases[i].name));
        assert_true(r.r == 0 || i == ARRAY_SIZE(cases) - 1);
        driver_container_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_labels_of_the_original_make_a_container_adoptable),
        cmocka_unit_test(the_zones_name_servers_are_for_containers_in_its_network),
        cmocka_unit_test(containers_with_labels_under_other_names_are_found),
        cmocka_unit_test(the_group_of_the_socket_needs_a_trusted_path),
        cmocka_unit_test(names_are_built_and_parsed),
        cmocka_unit_test(a_range_in_use_is_refused_for_the_zones_network),
        cmocka_unit_test(credentials_of_a_registry_are_found),
        cmocka_unit_test(a_container_with_inagent_gets_the_contracts_definition),
        cmocka_unit_test(a_request_has_no_member_that_is_not_used),
        cmocka_unit_test(ports_are_published_by_protocol_and_address),
        cmocka_unit_test(a_container_without_inagent_runs_the_images_entrypoint),
        cmocka_unit_test(a_manifest_can_request_only_docker_default_capabilities),
        cmocka_unit_test(a_request_contains_the_seccomp_profile),
        cmocka_unit_test(a_request_that_is_not_well_formed_is_refused),
        cmocka_unit_test(a_container_in_the_zones_network_gets_its_address),
        cmocka_unit_test(an_inspection_is_read),
        cmocka_unit_test(a_renamed_container_is_the_one_of_its_labels),
        cmocka_unit_test(a_rename_concerns_up_to_three_replicas),
        cmocka_unit_test(network_and_lxcfs_are_read),
        cmocka_unit_test(a_malformed_inspection_fails_or_has_defaults),
        cmocka_unit_test(images_and_info_are_read),
        cmocka_unit_test(the_newest_common_version_is_chosen),
        cmocka_unit_test(events_are_read),
        cmocka_unit_test(the_ledger_is_durable_and_claims_its_containers),
        cmocka_unit_test(progress_is_summed_up),
        cmocka_unit_test(refusals_have_classes),
        cmocka_unit_test(a_stream_is_split_into_lines),
        cmocka_unit_test(unprintable_text_is_replaced),
        cmocka_unit_test(a_tail_contains_the_last_lines),
        cmocka_unit_test(null_images_behave_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
