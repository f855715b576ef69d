/* Reads the machine's figures: HostStatus of the contract, sections 3 and 4. They are read on request;
 * nothing is sampled in between. */
#pragma once

#include "rpc-gateway/host_window.h"

struct host_status {
    int64_t uptime, updated; /* unix seconds: when the agent started, and now */
    char cpu_model[96];
    int cpu_cores;
    int64_t mem_total, mem_used, mem_available;
    int64_t disk_total_bytes, disk_free_bytes; /* of the app path's filesystem */
    struct host_counters last_minute, totals;
};

struct host {
    char *app_path;
    uint64_t started_usec; /* CLOCK_BOOTTIME, when this process started */
    /* The device with the machine's address; it is counted although it is not hardware; "": none. */
    char device[32];
    char cpu_model[96];
    int cpu_cores;
    struct host_window window;
};

/* 'app_path' is copied; 'started_usec' of CLOCK_BOOTTIME. */
struct host *host_new(const char *app_path, uint64_t started_usec);
void host_free(struct host *host);

/* Reads all figures. What cannot be read is 0. */
void host_status_read(struct host *host, struct host_status *ret);
