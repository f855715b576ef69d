/* Tests how container-driver defines the zone's network for Docker, by the engine's version, and how it reads
 * one that exists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "container-driver/docker/network_options.h"

#define PREFIX "com.docker.network."

static void test_a_new_network_has_the_options_that_the_engine_needs(void **state)
{
    (void)state;
    static const struct {
        const char *api;
        int64_t mtu;
        bool masqueraded;
        const char *options;
    } cases[] = {
        {"1.41", 0, false, "{}"}, /* Docker 20.10, podman */
        {"1.41", 1450, true,
         "{\"" PREFIX "bridge.enable_ip_masquerade\":\"false\",\"" PREFIX "driver.mtu\":\"1450\"}"},
        {"1.47", 1450, false, "{\"" PREFIX "driver.mtu\":\"1450\"}"},                       /* 27.2 */
        {"1.48", 0, false, "{\"" PREFIX "bridge.gateway_mode_ipv4\":\"nat-unprotected\"}"}, /* 28.0 */
        {"1.49", 0, true,
         "{\"" PREFIX "bridge.enable_ip_masquerade\":\"false\",\"" PREFIX
         "bridge.gateway_mode_ipv4\":\"nat-unprotected\"}"},
        {"1.50", 0, false, "{\"" PREFIX "bridge.trusted_host_interfaces\":\"invpc2_vxlan.10\"}"}, /* 28.2 */
        {"1.51", 1400, true,
         "{\"" PREFIX "bridge.enable_ip_masquerade\":\"false\",\"" PREFIX
         "bridge.trusted_host_interfaces\":\"invpc2_vxlan.10\",\"" PREFIX "driver.mtu\":\"1400\"}"},
        {NULL, 0, false, "{}"}, /* not known */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct spec_network network = {"10.10.3.0/24", cases[i].mtu, cases[i].masqueraded};
        _cleanup_json_ json_t *body = docker_network_body(&network, cases[i].api, "tree");
        _cleanup_free_ char *options =
            json_dumps(json_object_get(body, "Options"), JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(options, cases[i].options);
        json_object_del(body, "Options");
        _cleanup_free_ char *rest = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(
            rest, "{\"CheckDuplicate\":true,\"Driver\":\"bridge\",\"IPAM\":{\"Config\":[{\"Subnet\":"
                  "\"10.10.3.0/24\"}]},\"Labels\":{\"io.hostlet.tree\":\"tree\"},"
                  "\"Name\":\"invpc2_docker\"}");
    }
}

static void test_an_existing_network_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *api, *options;
        struct driver_network network; /* mtu, masquerades, closed */
    } cases[] = {
        {"1.41", "{}", {1500, true, false}}, /* the original agent's */
        {"1.41", "null", {1500, true, false}},
        {"1.51", "{}", {1500, true, true}},
        {"1.48", "{\"" PREFIX "bridge.gateway_mode_ipv4\": \"nat\"}", {1500, true, true}},
        {"1.48", "{\"" PREFIX "bridge.gateway_mode_ipv4\": \"nat-unprotected\"}", {1500, true, false}},
        {"1.51", "{\"" PREFIX "bridge.gateway_mode_ipv4\": \"routed\"}", {1500, true, false}},
        {"1.51",
         "{\"" PREFIX "bridge.trusted_host_interfaces\": \"eth3:invpc2_vxlan.10\"}",
         {1500, true, false}},
        {"1.51",
         "{\"" PREFIX "bridge.trusted_host_interfaces\": \"invpc2_vxlan.100:xinvpc2_vxlan.10:\"}",
         {1500, true, true}},
        {"1.51", "{\"" PREFIX "bridge.trusted_host_interfaces\": \"\"}", {1500, true, true}},
        {"1.41",
         "{\"" PREFIX "driver.mtu\": \"1450\", \"" PREFIX "bridge.enable_ip_masquerade\": \"false\"}",
         {1450, false, false}},
        {"1.41",
         "{\"" PREFIX "driver.mtu\": \"x\", \"" PREFIX "bridge.enable_ip_masquerade\": \"true\"}",
         {1500, true, false}},
        {"1.41",
         "{\"" PREFIX "driver.mtu\": 7, \"" PREFIX "bridge.enable_ip_masquerade\": false}",
         {1500, true, false}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        struct reading r = {.what = "Docker's description of a network", .error = &e};
        struct driver_network found = {0};
        _cleanup_free_ char *text = xasprintf("{\"Options\": %s}", cases[i].options);
        _cleanup_json_ json_t *network = json_loads(text, 0, NULL);
        assert_non_null(network);
        docker_network_read(&r, network, cases[i].api, &found);
        assert_int_equal(r.r, 0);
        if (found.mtu != cases[i].network.mtu || found.masquerades != cases[i].network.masquerades ||
            found.closed != cases[i].network.closed)
            fail_msg("%s, API %s: MTU %lld, masquerades %d, closed %d", cases[i].options, cases[i].api,
                     (long long)found.mtu, found.masquerades, found.closed);
    }
    struct error e = ERROR_INIT;
    struct reading r = {.what = "Docker's description of a network", .error = &e};
    struct driver_network found;
    _cleanup_json_ json_t *bad = json_pack("{s:s}", "Options", "x");
    docker_network_read(&r, bad, "1.41", &found);
    assert_true(r.r < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_network_has_the_options_that_the_engine_needs),
        cmocka_unit_test(test_an_existing_network_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
