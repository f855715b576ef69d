/* Checks a configuration as a whole before it is used: for --check and for a reload. */
#pragma once

#include <signal.h>
#include <systemd/sd-event.h>

#include "hostletd/spawn.h"
#include "lib/config/config.h"
#include "lib/topology/topology.h"

/* Checks the rights in 'supervisor' of each service.conf. Returns 0, or −EINVAL (refused) if one names a
 * method that hostletd lacks or that changes something. */
int checks_rights(const struct topology *topology, struct error *e);

/* The programs of services that judge the configuration now. */
struct checks;

/* Is called once, when all programs have exited: 'e' is the first refusal, NULL if there is none. It may call
 * checks_free(). */
typedef void (*checks_done_fn)(const struct error *e, void *userdata);

/* Checks the TCP ports of the services, and runs the program of each service that has 'check' in its
 * service.conf with --check, all of them at once. 'topology' is borrowed until checks_free(). A refusal is
 * logged with the name of the service. Returns 0 or a negative errno. */
int checks_start(sd_event *event, struct spawner *spawner, const struct topology *topology,
                 const struct config *config, checks_done_fn on_done, void *userdata, struct checks **ret,
                 struct error *e);
/* Handles the exit of a process, which is reaped already. Returns false if it is none of these programs. */
bool checks_process_ended(struct checks *checks, const siginfo_t *info);
/* Kills the programs that still run. */
void checks_free(struct checks *checks);

/* Runs the checks on an event loop of its own, for a process that has none. Blocks. Returns 0 or a negative
 * errno. */
int checks_run(const struct tree *tree, const struct topology *topology, const struct config *config,
               struct error *e);
