/* Tests how container-driver defines the volumes of a container, and reads them from Docker's descriptions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "container-driver/docker/create.h"
#include "container-driver/docker/inspect.h"
#include "container-driver/reading.h"
#include "container-driver/runtime.h"
#include "container-driver/spec_copy.h"
#include "lib/schema/object.h"

#define TREE "11111111-2222-3333-4444-555555555555"

static const struct settings settings = {.tree_id = (char *)TREE,
                                         .apps = (char *)"/srv/apps",
                                         .ipk_install = (char *)"/srv/ipk",
                                         .agents = (char *)"/srv/agents",
                                         .inagent = (char *)"/usr/libexec/inagent",
                                         .log_driver = (char *)"local",
                                         .log_max_size = 1000000,
                                         .log_max_file = 2};

static int make(char **volumes, size_t n, int init, struct spec *ret, struct error *e)
{
    const struct driver_create_in in = {.instance = (char *)"web",
                                        .replica_id = 3,
                                        .revision = 12,
                                        .config = (char *)"c",
                                        .image = (char *)"nginx:1",
                                        .host_id = (char *)"0123456789ab",
                                        .init = init,
                                        .volumes = volumes,
                                        .n_volumes = n};
    return spec_make(&in, &settings, ret, e);
}

static void test_a_volume_is_a_directory_of_the_replica_for_docker(void **state)
{
    (void)state;
    static char *volumes[] = {(char *)"/data", (char *)"/var/lib/app"};
    struct error e = ERROR_INIT;
    struct spec spec = {0};
    json_t *body = NULL;
    assert_int_equal(make(volumes, 2, APP_INIT_IMAGE, &spec, &e), 0);
    assert_int_equal(docker_create_body(&spec, &settings, 0, &body, &e), 0);
    json_t *mounts = json_object_get(json_object_get(body, "HostConfig"), "Mounts");
#define VOLUME(key, target)                                                                                  \
    "{\"Type\": \"volume\", \"Source\": \"hostlet_" TREE "_i8k_web_3_" key "\", \"Target\": \"" target       \
    "\", \"VolumeOptions\": {\"Labels\": {\"app_name\": \"web\", \"app_rep_id\": \"3\", "                    \
    "\"io.hostlet.tree\": \"" TREE "\"}, \"DriverConfig\": {\"Name\": \"local\", \"Options\": {\"type\": "   \
    "\"none\", \"o\": \"bind\", \"device\": \"/srv/apps/i8k_web_3/volumes/" key "\"}}}}"
    json_t *expected =
        json_loads("[" VOLUME("data", "/data") "," VOLUME("var.lib.app", "/var/lib/app") "]", 0, NULL);
    if (!json_equal(mounts, expected))
        fail_msg("%s", json_dumps(mounts, 0));
    json_decref(expected);
    json_decref(body);
    spec_done(&spec);
}

static void test_a_volume_over_another_mount_is_refused(void **state)
{
    (void)state;
    static char *home[] = {(char *)"/home"}, *proc[] = {(char *)"/data", (char *)"/proc/x"};
    struct error e = ERROR_INIT;
    struct spec spec = {0};
    assert_int_equal(make(proc, 2, APP_INIT_IMAGE, &spec, &e), -EINVAL);
    assert_non_null(strstr(e.message, "i8k_web_3: '/proc/x' cannot be a volume"));
    assert_int_equal(make(home, 1, APP_INIT_INAGENT, &spec, &e), -EINVAL);
    assert_int_equal(make(home, 1, APP_INIT_IMAGE, &spec, &e), 0);
    spec_done(&spec);
}

static void test_volumes_of_a_container_are_told_from_anonymous_ones(void **state)
{
    (void)state;
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    static const char text[] =
        "{\"Id\": \"abc\", \"Name\": \"/i8k_web_3.old\", \"State\": {\"Status\": \"exited\"}, \"Mounts\": ["
        "{\"Type\": \"volume\", \"Name\": \"hostlet_" TREE "_i8k_web_3_data\", \"Destination\": \"/data\"},"
        "{\"Type\": \"volume\", \"Name\": \"hostlet_" TREE "_i8k_web_30_data\", \"Destination\": \"/other\"},"
        "{\"Type\": \"volume\", \"Name\": \"" HEX64 "\", \"Destination\": \"/anonymous\"},"
        "{\"Type\": \"volume\", \"Name\": \"" HEX64 "\", \"Destination\": \"relative\"},"
        "{\"Type\": \"volume\", \"Name\": \"named\", \"Destination\": \"/named\"},"
        "{\"Type\": \"bind\", \"Source\": \"/srv\", \"Destination\": \"/bound\"}]}";
    struct error e = ERROR_INIT;
    _cleanup_json_ json_t *answer = json_loads(text, 0, NULL);
    _cleanup_driver_container_ struct driver_container *c = NULL;
    assert_int_equal(docker_read_container(answer, TREE, false, &c, &e), 0);
    assert_int_equal(c->n_volumes, 1);
    assert_string_equal(c->volumes[0], "/data");
    assert_int_equal(c->n_anonymous_volumes, 2);
    assert_string_equal(c->anonymous_volumes[0]->path, "/anonymous");
    assert_string_equal(c->anonymous_volumes[1]->path, "/relative");
}

static void test_the_volumes_of_an_image_are_read_as_they_are_declared(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    _cleanup_json_ json_t *answer =
        json_loads("{\"Id\": \"sha256:1\", \"Config\": {\"Volumes\": {\"/data/\": {}, \"x\": {}}}}", 0, NULL);
    _cleanup_driver_image_ struct driver_image *image = NULL, *none = NULL;
    assert_int_equal(docker_read_image(answer, &image, &e), 0);
    assert_int_equal(image->n_volumes, 2);
    assert_string_equal(image->volumes[0], "/data/");
    json_object_set_new(json_object_get(answer, "Config"), "Volumes", json_null());
    assert_int_equal(docker_read_image(answer, &none, &e), 0);
    assert_int_equal(none->n_volumes, 0);
}

static void test_a_copy_is_made_by_a_container_that_reaches_the_volumes_alone(void **state)
{
    (void)state;
    struct driver_volume data = {(char *)"/data", (char *)"anonymous"};
    struct driver_volume *volumes[] = {&data};
    const struct driver_container from = {.name = (char *)"i8k_web_3.old",
                                          .image_id = (char *)"sha256:1",
                                          .anonymous_volumes = volumes,
                                          .n_anonymous_volumes = 1};
    char *paths[] = {(char *)"/data"};
    struct driver_copy_in in = {.instance = (char *)"web", .replica_id = 3, .volumes = paths, .n_volumes = 1};
    struct error e = ERROR_INIT;
    struct spec spec = {0};
    json_t *body = NULL;
    assert_int_equal(spec_make_copy(&in, &from, &settings, &spec, &e), 0);
    assert_string_equal(spec.name, "hostlet_" TREE "_i8k_web_3.copy");
    assert_int_equal(docker_create_body(&spec, &settings, 0, &body, &e), 0);
    static const char expected_text[] =
        "{\"Image\": \"sha256:1\", \"User\": \"0\", \"WorkingDir\": \"/\", \"Entrypoint\": [],"
        " \"Cmd\": [\"/.hostlet/inagent\", \"copy\", \"/data\", \"/.hostlet/from/0\", \"/.hostlet/to/0\"],"
        " \"Labels\": {\"io.hostlet.copy\": \"" TREE "\"}, \"Healthcheck\": {\"Test\": [\"NONE\"]}}";
    json_t *expected = json_loads(expected_text, 0, NULL), *value;
    const char *key;
    json_object_foreach(expected, key, value) if (!json_equal(json_object_get(body, key), value))
        fail_msg("%s: %s", key, json_dumps(json_object_get(body, key), JSON_ENCODE_ANY));
    json_decref(expected);
    static const char host_text[] =
        "{\"NetworkMode\": \"none\", \"ReadonlyRootfs\": true, \"CapDrop\": [\"ALL\"],"
        " \"CapAdd\": [\"CHOWN\", \"DAC_OVERRIDE\", \"FOWNER\", \"FSETID\", \"MKNOD\", \"SETFCAP\"],"
        " \"SecurityOpt\": [\"no-new-privileges:true\"], \"Memory\": 268435456, \"PidsLimit\": 50, "
        "\"Mounts\": ["
        "{\"Type\": \"bind\", \"Source\": \"/usr/libexec/inagent\", \"Target\": \"/.hostlet/inagent\","
        " \"ReadOnly\": true},"
        "{\"Type\": \"volume\", \"Source\": \"anonymous\", \"Target\": \"/.hostlet/from/0\", \"ReadOnly\": "
        "true,"
        " \"VolumeOptions\": {\"NoCopy\": true}},"
        "{\"Type\": \"bind\", \"Source\": \"/srv/apps/i8k_web_3/volumes/.copying-data\", \"Target\":"
        " \"/.hostlet/to/0\", \"ReadOnly\": false}]}";
    expected = json_loads(host_text, 0, NULL);
    json_t *host = json_object_get(body, "HostConfig");
    json_object_foreach(expected, key, value) if (!json_equal(json_object_get(host, key), value))
        fail_msg("%s: %s", key, json_dumps(json_object_get(host, key), JSON_ENCODE_ANY));
    json_decref(expected);
    json_decref(body);
    spec_done(&spec);

    paths[0] = (char *)"/etc";
    assert_int_equal(spec_make_copy(&in, &from, &settings, &spec, &e), -EINVAL);
    assert_non_null(strstr(e.message, "container 'i8k_web_3.old' has no anonymous volume at '/etc'"));
    paths[0] = (char *)"/../etc";
    assert_int_equal(spec_make_copy(&in, &from, &settings, &spec, &e), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_volume_is_a_directory_of_the_replica_for_docker),
        cmocka_unit_test(test_a_volume_over_another_mount_is_refused),
        cmocka_unit_test(test_volumes_of_a_container_are_told_from_anonymous_ones),
        cmocka_unit_test(test_the_volumes_of_an_image_are_read_as_they_are_declared),
        cmocka_unit_test(test_a_copy_is_made_by_a_container_that_reaches_the_volumes_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
