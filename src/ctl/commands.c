/* The table of commands: hostletctl(8) describes them at length. */
#include "ctl/commands.h"

#include "ctl/apply.h"
#include "ctl/apps.h"
#include "ctl/describe.h"
#include "ctl/import.h"
#include "ctl/logs.h"
#include "ctl/package.h"
#include "ctl/quota.h"
#include "ctl/services.h"
#include "ctl/status.h"
#include "ctl/zone.h"

#define WAITING                                                                                              \
    {"no-wait", 0, NULL, "do not wait until it is done"},                                                    \
    {                                                                                                        \
        "timeout", 't', "D", "wait this long at most (5min)"                                                 \
    }
#define END                                                                                                  \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }

static const struct ctl_option waiting_options[] = {WAITING, END};
static const struct ctl_option destroy_options[] = {
    {"purge", 0, NULL, "delete the data instead of keeping it aside"}, WAITING, END};
static const struct ctl_option hold_options[] = {{"reason", 0, "TEXT", "why, for those who wonder later"},
                                                 END};
static const struct ctl_option logs_options[] = {
    {"follow", 'f', NULL, "go on with what is written from now on, until Ctrl-C"},
    {"tail", 'n', "N", "only the last N lines"},
    {"since", 0, "D", "only what is younger than this, such as 10min"},
    {"raw", 0, NULL, "on a terminal, pass on what controls it, too"},
    END};
static const struct ctl_option build_options[] = {
    {"name", 0, "NAME", "the package's name (required)"},
    {"version", 0, "VERSION", "its version, such as 1.2.0 or 1.2.0-r1 (required)"},
    {"os", 0, "OS", "linux (default) or all"},
    {"arch", 0, "ARCH", "amd64, arm64 or src; this machine's unless given"},
    {"compress", 0, "HOW", "xz (default), gzip, zstd or none; zstd is beyond the original agent"},
    {"level", 0, "N", "of the compression; its library's own unless given"},
    {"description", 0, "TEXT", "what it is"},
    {"license", 0, "TEXT", "its licence"},
    {"homepage", 0, "URL", "where people read about it"},
    {"repository", 0, "URL", "where its source lies"},
    {"output", 'o', "DIR", "where NAME_VERSION_OS_ARCH.ipk is written (the current directory)"},
    END};
static const struct ctl_option fetch_options[] = {
    {"arch", 0, "ARCH", "this machine's unless given"}, {"os", 0, "OS", "linux unless given"}, END};
static const struct ctl_option import_options[] = {
    {"dry-run", 0, NULL, "show what would be taken over, and do nothing"}, END};
static const struct ctl_option describe_options[] = {
    {"reference", 0, NULL, "a page in Markdown with all interfaces"}, END};

const struct command ctl_commands[] = {
    {"apply", "FILE|DIR|-", 1, 1, "make a manifest the desired state, and wait until it runs",
     "The manifest is TOML or JSON (hostlet-manifest(5)); of a directory every *.toml and *.json is applied, "
     "in\n"
     "the order of their names. An equal manifest changes nothing. Ends at the first failed attempt.",
     waiting_options, command_apply},
    {"plan", "FILE|DIR|-", 1, 1, "show what apply would change and why, and do nothing", NULL, NULL,
     command_plan},
    {"convert", "FILE|-", 1, 1, "print a manifest as canonical JSON", NULL, NULL, command_convert},
    {"apps", "", 0, 0, "list the applications", NULL, NULL, command_apps},
    {"app", "NAME", 1, 1, "show one application: replicas, stages, last error, next try", NULL, NULL,
     command_app},
    {"start", "NAME", 1, 1, "start an application, or try again what failed", NULL, waiting_options,
     command_start},
    {"stop", "NAME", 1, 1, "stop an application; its containers and data stay", NULL, waiting_options,
     command_stop},
    {"destroy", "NAME", 1, 1, "remove an application's containers; its data is kept aside", NULL,
     destroy_options, command_destroy},
    {"hold", "NAME", 1, 1, "let the zone's orders for one of its applications wait",
     "What runs, runs on, and may be started, stopped and destroyed here until it is released.", hold_options,
     command_hold},
    {"release", "NAME", 1, 1, "end a hold: the zone's last order is followed", NULL, NULL, command_release},
    {"logs", "APP[/REPLICA]", 1, 1, "print what an application writes", NULL, logs_options, command_logs},
    {"status", "", 0, 0, "show the tree, its services and the applications on one page", NULL, NULL,
     command_status},
    {"services", "", 0, 0, "list the processes of the tree", NULL, NULL, command_services},
    {"service start", "NAME", 1, 1, "start a service that is stopped or given up", NULL, NULL,
     command_service_start},
    {"service stop", "NAME", 1, 1, "stop a service, and those that need it", NULL, NULL,
     command_service_stop},
    {"service restart", "NAME", 1, 1, "stop and start a service", NULL, NULL, command_service_restart},
    {"reload", "", 0, 0, "read the configuration anew, and restart the services that it concerns", NULL, NULL,
     command_reload},
    {"package build", "DIR", 1, 1, "make a package from a directory",
     "The same input gives the same bytes; the time within is $SOURCE_DATE_EPOCH, or 1980-01-01.",
     build_options, command_package_build},
    {"package inspect", "FILE", 1, 1, "verify a package file, and show its header and contents", NULL, NULL,
     command_package_inspect},
    {"package index", "DIR", 1, 1, "write index.json for a directory of packages", NULL, NULL,
     command_package_index},
    {"package list", "", 0, 0, "list the packages of this machine's store", NULL, NULL, command_package_list},
    {"package fetch", "NAME [VERSION]", 1, 2, "bring a package into the store", NULL, fetch_options,
     command_package_fetch},
    {"quota list", "", 0, 0, "show each replica's limits and use of disk space", NULL, NULL,
     command_quota_list},
    {"quota report", "", 0, 0, "look for what is not as it should be: in ledger, kernel and directories",
     NULL, NULL, command_quota_report},
    {"quota info", "", 0, 0, "show what the filesystems enforce, and what would make them", NULL, NULL,
     command_quota_info},
    {"quota recheck", "[CONTAINER]", 0, 1, "give every file of a replica, or of all, its project again",
     "Tenants can charge their files to others' projects, and hold project ids with them. What carried "
     "another\n"
     "project is named, and the ids that only such files held are free.",
     NULL, command_quota_recheck},
    {"import", "DIR", 1, 1, "take this machine over from the original agent of InnerStack v2",
     "DIR is the original's prefix. It must be stopped; not one container is restarted. Host id, access key, "
     "quota ids,\n"
     "secrets and applications stay what they are. An import that was interrupted is made again.",
     import_options, command_import},
    {"zone init", "[ADDRESS:PORT]...", 0, 64, "make this machine ready to be a member of a zone",
     "Makes its host id and access key, and prints what the zone's operator needs to join it. The addresses "
     "are those of\n"
     "the zone's hosts; without any, the leader tells them when it joins this machine. May be repeated.",
     NULL, command_zone_init},
    {"zone join-info", "", 0, 0, "print what the zone's operator needs to join this machine", NULL, NULL,
     command_zone_join_info},
    {"zone status", "", 0, 0, "show how it stands with the zone", NULL, NULL, command_zone_status},
    {"zone leave", "", 0, 0, "forget the zone; its applications run on, as no longer assigned", NULL, NULL,
     command_zone_leave},
    {"describe", "[INTERFACE]", 0, 1, "print the Varlink interfaces of the services", NULL, describe_options,
     command_describe},
    {"version", "", 0, 0, "print the version", NULL, NULL, command_version},
    {.name = NULL},
};
