/* Defines the table of commands, which hostletctl(8) describes in full. */
#include "ctl/commands.h"

#include "ctl/adopt.h"
#include "ctl/apply.h"
#include "ctl/apps.h"
#include "ctl/describe.h"
#include "ctl/import.h"
#include "ctl/logs.h"
#include "ctl/package.h"
#include "ctl/quota.h"
#include "ctl/services.h"
#include "ctl/status.h"
#include "ctl/task_run.h"
#include "ctl/zone.h"
#include "ctl/zone_network.h"

#define WAITING                                                                                              \
    {                                                                                                        \
        "no-wait", 0, NULL, "return when the request is accepted; -t is 5min otherwise"                      \
    }
#define END                                                                                                  \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }

static const struct ctl_option waiting_options[] = {WAITING, END};
static const struct ctl_option destroy_options[] = {
    {"purge", 0, NULL, "delete the data instead of keeping it"}, WAITING, END};
static const struct ctl_option hold_options[] = {{"reason", 0, "TEXT", "the reason, shown by apps and app"},
                                                 END};
static const struct ctl_option logs_options[] = {
    {"follow", 'f', NULL, "continue with new output until Ctrl-C"},
    {"tail", 'n', "N", "only the last N lines; 0: only new ones"},
    {"since", 0, "D", "only output of the last D, such as 10min"},
    {"task", 0, "NAME", "only the lines of this task, without its name"},
    {"raw", 0, NULL, "write control sequences to a terminal, too"},
    END};
static const struct ctl_option build_options[] = {
    {"name", 0, "NAME", "the package's name (required)"},
    {"version", 0, "VERSION", "its version, such as 1.2.0 or 1.2.0-r1 (required)"},
    {"os", 0, "OS", "linux (default) or all"},
    {"arch", 0, "ARCH", "amd64, arm64 or src; this machine's unless given"},
    {"compress", 0, "HOW", "xz (default), gzip, zstd or none; the original agent cannot read zstd"},
    {"level", 0, "N", "level of compression; the library's default unless given"},
    {"description", 0, "TEXT", "a description"},
    {"license", 0, "TEXT", "the licence"},
    {"homepage", 0, "URL", "the address of its web site"},
    {"repository", 0, "URL", "the address of its source"},
    {"output", 'o', "DIR", "directory for NAME_VERSION_OS_ARCH.ipk (the current directory)"},
    END};
static const struct ctl_option fetch_options[] = {
    {"arch", 0, "ARCH", "this machine's unless given"}, {"os", 0, "OS", "linux unless given"}, END};
static const struct ctl_option import_options[] = {
    {"dry-run", 0, NULL, "show what would be taken over, and change nothing"}, END};
static const struct ctl_option adopt_options[] = {
    {"revision", 0, "N", "the revision that it runs; 0: unknown, so that the next order replaces it"},
    {"from", 0, "DIR", "the original agent's prefix, whose state names revision and secret"},
    {"dry-run", 0, NULL, "show whether it can be adopted, and change nothing"},
    END};
static const struct ctl_option describe_options[] = {
    {"reference", 0, NULL, "print a page in Markdown with all interfaces"}, END};

const struct command ctl_commands[] = {
    {"apply", "FILE|DIR|-", 1, 1, "make a manifest the desired state, and wait until it runs",
     "The manifest is TOML or JSON (hostlet-manifest(5)). For a directory, every *.toml and *.json in it is\n"
     "applied in the order of the names, or none if one of them is refused. An equal manifest changes "
     "nothing.\n"
     "The command ends at the first failed attempt.",
     waiting_options, command_apply},
    {"plan", "FILE|DIR|-", 1, 1, "show what apply would change and why, and change nothing", NULL, NULL,
     command_plan},
    {"convert", "FILE|-", 1, 1, "print a manifest as canonical JSON", NULL, NULL, command_convert},
    {"apps", "", 0, 0, "list the applications", NULL, NULL, command_apps},
    {"app", "NAME", 1, 1, "show one application: replicas, stages, last error, next attempt", NULL, NULL,
     command_app},
    {"start", "NAME", 1, 1, "start an application, or retry a failed switch", NULL, waiting_options,
     command_start},
    {"stop", "NAME", 1, 1, "stop an application; its containers and data are kept", NULL, waiting_options,
     command_stop},
    {"destroy", "NAME", 1, 1, "remove an application's containers; its data is kept", NULL, destroy_options,
     command_destroy},
    {"hold", "NAME", 1, 1, "store the orders of a zone or a file for an application without executing them",
     "Until its release, the application keeps running, and can be started, stopped and destroyed here.",
     hold_options, command_hold},
    {"release", "NAME", 1, 1, "end a hold, and execute the last order", NULL, NULL, command_release},
    {"logs", "APP[/REPLICA]", 1, 1, "print an application's output", NULL, logs_options, command_logs},
    {"task run", "APP[/REPLICA] TASK", 2, 2, "run a task of an application now, and wait for its end",
     "Prints what the task writes. The exit code is 0 if the task succeeds.\n"
     "The run waits for no other task and is not retried; the desired state is unchanged.",
     waiting_options, command_task_run},
    {"status", "", 0, 0, "show the tree, its services and the applications on one page", NULL, NULL,
     command_status},
    {"services", "", 0, 0, "list the processes of the tree", NULL, NULL, command_services},
    {"service start", "NAME", 1, 1, "start a service that is stopped or failed",
     "Starts those that it needs, and those that 'service stop' stopped along with it.", NULL,
     command_service_start},
    {"service stop", "NAME", 1, 1, "stop a service, and those that need it",
     "No container stops. 'service start' brings back those that were stopped along.", NULL,
     command_service_stop},
    {"service restart", "NAME", 1, 1, "stop and start a service", NULL, NULL, command_service_restart},
    {"reload", "", 0, 0, "read the configuration again, and restart the services that a change concerns",
     NULL, NULL, command_reload},
    {"package build", "DIR", 1, 1, "build a package from a directory",
     "The same input gives the same bytes; entries carry the time $SOURCE_DATE_EPOCH, or 1980-01-01.",
     build_options, command_package_build},
    {"package inspect", "FILE", 1, 1, "verify a package file, and show its header and contents", NULL, NULL,
     command_package_inspect},
    {"package index", "DIR", 1, 1, "write index.json for a directory of packages", NULL, NULL,
     command_package_index},
    {"package list", "", 0, 0, "list the packages of this machine's store", NULL, NULL, command_package_list},
    {"package fetch", "NAME [VERSION]", 1, 2, "fetch a package into the store", NULL, fetch_options,
     command_package_fetch},
    {"quota list", "", 0, 0, "show each replica's limits and usage of disk space", NULL, NULL,
     command_quota_list},
    {"quota report", "", 0, 0, "list inconsistencies of ledger, kernel and directories", NULL, NULL,
     command_quota_report},
    {"quota info", "", 0, 0, "show which limits the filesystems enforce, and how to enable them", NULL, NULL,
     command_quota_info},
    {"quota recheck", "[CONTAINER]", 0, 1, "assign every file of a replica, or of all, to its project again",
     "Tenants can charge their files to other projects, and so occupy project ids. The command names files\n"
     "that carried another project, and frees the ids that only such files carried.",
     NULL, command_quota_recheck},
    {"import", "DIR", 1, 1, "take over this machine from the original agent of InnerStack v2",
     "DIR is the original's prefix. The original must be stopped; no container is restarted. Host id, "
     "access\n"
     "key, quota ids, secrets and applications stay the same. An interrupted import can be repeated.",
     import_options, command_import},
    {"adopt", "CONTAINER", 1, 1, "adopt one container of the original agent, without a restart",
     "CONTAINER is its name, i8k_NAME_N. Its labels must fit the name, and its data must be below this\n"
     "tree's app path ('hostletctl import' takes over the path, too). The original must be stopped. The\n"
     "command can be repeated.",
     adopt_options, command_adopt},
    {"zone init", "[ADDRESS:PORT]...", 0, 64, "prepare this machine to be a member of a zone",
     "Makes host id and access key, and prints what the zone's operator needs to join the machine. The\n"
     "addresses are those of the zone's hosts; without any, the leader sends them when it joins this "
     "machine.\n"
     "The command can be repeated.",
     NULL, command_zone_init},
    {"zone join-info", "", 0, 0, "print what the zone's operator needs to join this machine", NULL, NULL,
     command_zone_join_info},
    {"zone status", "", 0, 0, "show the state of the membership in the zone", NULL, NULL,
     command_zone_status},
    {"zone network", "", 0, 0, "show the network between the zone's machines", NULL, NULL,
     command_zone_network},
    {"zone ping", "HOST", 1, 1, "ask another machine of the zone for a sign of life",
     "HOST is the machine's id, its address in the zone, or the one on the VXLAN device, through which the\n"
     "request goes.",
     NULL, command_zone_ping},
    {"zone leave", "", 0, 0, "leave the zone; its applications keep running, as no longer assigned",
     "Removes the network between the machines, too, and fails if something of it is left.", NULL,
     command_zone_leave},
    {"describe", "[INTERFACE]", 0, 1, "print the Varlink interfaces of the services", NULL, describe_options,
     command_describe},
    {"version", "", 0, 0, "print the version", NULL, NULL, command_version},
    {.name = NULL},
};
