/* Every key of hostlet.conf. The man page hostlet.conf(5) is held against this table by a test. */
#include "lib/config/config.h"

#define GIB ((int64_t)1 << 30)
#define MIN (60 * (int64_t)USEC_PER_SEC)
#define DAY (24 * 60 * MIN)
#define SEC ((int64_t)USEC_PER_SEC)

const struct config_key config_keys[] = {
    {"hostlet", "app_path", CONFIG_PATH, "", 0, 0, NULL,
     "Where the replicas' directories lie. Default: apps below the prefix, or /var/lib/hostlet/apps."},
    {"hostlet", "log_level", CONFIG_CHOICE, "info", 0, 0, "error|warning|notice|info|debug",
     "What is logged: messages of this importance and above."},

    {"reconciler", "quota", CONFIG_CHOICE, "optional", 0, 0, "optional|required",
     "required: a replica whose quota cannot be enforced is not started."},
    {"reconciler", "host_ports", CONFIG_RANGE, "20000-29999", 1, 65535, NULL,
     "Host ports for instances with several replicas, where the manifest names none."},
    {"reconciler", "parallel_first", CONFIG_NUMBER, "4", 1, 128, NULL,
     "How many replicas of one instance are deployed at once when there is no old revision."},
    {"reconciler", "parallel_update", CONFIG_NUMBER, "1", 1, 128, NULL,
     "How many replicas of one instance are switched to a new revision at once."},
    {"reconciler", "probation", CONFIG_DURATION, "5s", 0, 60 * MIN, NULL,
     "How long a new container must stay up before the switch counts, unless the manifest says otherwise."},
    {"reconciler", "stop_timeout", CONFIG_DURATION, "10s", SEC, 60 * MIN, NULL,
     "How long a container may take to stop before it is killed, unless the manifest says otherwise."},
    {"reconciler", "retry_min", CONFIG_DURATION, "1s", 1000, 60 * MIN, NULL,
     "First pause after a failure; it doubles."},
    {"reconciler", "retry_max", CONFIG_DURATION, "5min", 1000, DAY, NULL, "Longest pause after failures."},
    {"reconciler", "keep_packages", CONFIG_BOOL, "no", 0, 0, NULL,
     "yes: packages that no instance uses any more stay in the store."},
    {"reconciler", "unassigned", CONFIG_CHOICE, "keep", 0, 0, "keep|stop|destroy",
     "What becomes of an instance that the zone's answers have no more. keep: it runs on."},

    {"fetcher", "repositories", CONFIG_LIST, "", 0, 0, NULL,
     "Where packages come from, in order: file:///directory, http://…, https://… or zone; the first with a "
     "match "
     "wins."},
    {"fetcher", "ca_file", CONFIG_PATH, "", 0, 0, NULL,
     "Certificates of the authorities that https repositories are checked against. Default: the system's."},
    {"fetcher", "connect_timeout", CONFIG_DURATION, "10s", 1000, 10 * MIN, NULL,
     "For a connection to a repository."},
    {"fetcher", "low_speed_time", CONFIG_DURATION, "30s", SEC, 60 * MIN, NULL,
     "A transfer slower than low_speed_limit for this long is given up and resumed."},
    {"fetcher", "low_speed_limit", CONFIG_SIZE, "1K", 1, GIB, NULL, "Bytes per second; see low_speed_time."},
    {"fetcher", "attempts", CONFIG_NUMBER, "5", 1, 1000, NULL,
     "How often a transfer is tried, with growing pauses, before the request fails with \"retry later\"."},
    {"fetcher", "retry_min", CONFIG_DURATION, "500ms", 1000, 10 * MIN, NULL,
     "First pause between tries; it doubles."},
    {"fetcher", "parallel", CONFIG_NUMBER, "4", 1, 64, NULL, "Transfers at the same time."},
    {"fetcher", "max_size", CONFIG_SIZE, "8G", 1, (int64_t)1 << 50, NULL,
     "Bytes of one package whose size no repository says."},
    {"fetcher", "keep_free", CONFIG_SIZE, "64M", 0, (int64_t)1 << 50, NULL,
     "Bytes that must stay free on the filesystem of the store."},

    {"unpacker", "max_size", CONFIG_SIZE, "8G", 1, (int64_t)1 << 50, NULL, "Unpacked bytes of one package."},
    {"unpacker", "max_entries", CONFIG_NUMBER, "500000", 1, INT32_MAX, NULL, "Entries of one package."},
    {"unpacker", "max_path", CONFIG_NUMBER, "4095", 16, 4095, NULL, "Bytes of one entry's path."},
    {"unpacker", "max_ratio", CONFIG_NUMBER, "200", 1, INT32_MAX, NULL,
     "Unpacked bytes per packed byte, beyond the first 64 MiB."},
    {"unpacker", "keep_free", CONFIG_SIZE, "64M", 0, (int64_t)1 << 50, NULL,
     "Bytes that must stay free on the filesystem of the install directory."},
    {"unpacker", "threads", CONFIG_NUMBER, "2", 1, 64, NULL, "For decompressing xz."},

    {"provisioner", "keep_removed", CONFIG_DURATION, "0", 0, 3650 * DAY, NULL,
     "How long the data of a destroyed replica is kept; 0: until someone removes it."},

    {"quota", "ids", CONFIG_RANGE, "100-110000", 1, 110000, NULL,
     "Project ids that replicas' directories are given."},
    {"quota", "threshold", CONFIG_NUMBER, "90", 1, 100, NULL,
     "Percent of a limit from which its use is logged and told to those who watch."},
    {"quota", "check_interval", CONFIG_DURATION, "5min", 0, DAY, NULL,
     "How often use is looked at by itself; 0: only when somebody asks."},

    {"driver", "runtime", CONFIG_CHOICE, "docker", 0, 0, "docker|null",
     "docker: the Docker Engine. null: runs nothing and pretends; for tests."},
    {"driver", "docker_socket", CONFIG_PATH, "/run/docker.sock", 0, 0, NULL, "The Docker Engine's socket."},
    {"driver", "docker_config", CONFIG_PATH, "", 0, 0, NULL,
     "A docker config.json with the credentials for pulling images."},
    {"driver", "request_timeout", CONFIG_DURATION, "30s", 1000, 10 * MIN, NULL,
     "For one request to the engine."},
    {"driver", "pull_timeout", CONFIG_DURATION, "5min", SEC, DAY, NULL, "For a pull that makes no progress."},
    {"driver", "log_max_size", CONFIG_SIZE, "10M", 4096, (int64_t)1 << 40, NULL,
     "Size of one log file of a container."},
    {"driver", "log_max_file", CONFIG_NUMBER, "3", 1, 1000, NULL, "Log files kept for a container."},
    {"driver", "layer_size", CONFIG_SIZE, "10G", 0, (int64_t)1 << 50, NULL,
     "Limit of a container's writable layer, where the storage driver can; 0: none."},
    {"driver", "dns_servers", CONFIG_LIST, "", 0, 0, NULL,
     "Name servers of the containers. Default: the engine's."},
    {"driver", "lxcfs", CONFIG_BOOL, "no", 0, 0, NULL,
     "yes: where lxcfs runs, containers see their own limits in /proc instead of the machine's."},
    {"driver", "lxcfs_path", CONFIG_PATH, "/var/lib/lxcfs", 0, 0, NULL, "Where lxcfs is mounted."},

    {"zone", "enable", CONFIG_BOOL, "no", 0, 0, NULL,
     "yes: this machine's faces to the network are served: the zone's calls, the applications' reports, "
     "metrics."},
    {"zone", "listen", CONFIG_STRING, "0.0.0.0", 0, 0, NULL, "Address that both ports listen on."},
    {"zone", "peer_port", CONFIG_NUMBER, "9533", 1, 65535, NULL, "gRPC: for the zone's hosts."},
    {"zone", "http_port", CONFIG_NUMBER, "9532", 1, 65535, NULL,
     "HTTP: for applications' reports and metrics."},
    {"zone", "metrics_allow", CONFIG_LIST, "127.0.0.0/8 ::1", 0, 0, NULL,
     "Addresses and networks that may read the metrics."},
    {"zone", "tls_certificate", CONFIG_PATH, "", 0, 0, NULL,
     "This machine's certificate (PEM) for gRPC in both directions; with it come tls_key and tls_ca. "
     "Default: no "
     "TLS."},
    {"zone", "tls_key", CONFIG_PATH, "", 0, 0, NULL,
     "The key of tls_certificate, readable by hostlet-rpc and hostlet-fetcher."},
    {"zone", "tls_ca", CONFIG_PATH, "", 0, 0, NULL,
     "Certificates that the zone's other hosts are verified against."},
    {"zone", "lan_addr", CONFIG_ADDRESS, "", 0, 0, NULL,
     "This machine's address in the zone. Default: the private address of a real network device."},
    {NULL, NULL, CONFIG_STRING, NULL, 0, 0, NULL, NULL},
};
