/* Defines the limits of manifests and instances. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define APP_REPLICA_ID_MAX   127
#define APP_CPU_LIMIT_MIN    INT64_C(10)               /* millicores; Docker's minimum */
#define APP_CPU_LIMIT_MAX    INT64_C(1000000)          /* millicores */
#define APP_MEMORY_LIMIT_MIN (INT64_C(6) << 20)        /* bytes; Docker's minimum */
#define APP_BYTES_MAX        (INT64_C(1) << 60)        /* bytes of memory or of a volume */
#define APP_PIDS_LIMIT_MAX   INT64_C(4194304)          /* the kernel's maximum */
#define APP_STOP_TIMEOUT_MAX INT64_C(24 * 3600 * 1000) /* milliseconds */
#define APP_PROBATION_MAX    INT64_C(3600 * 1000)      /* milliseconds */
/* Limits of an instance. With them, everything that is stored or sent about an instance fits into its
 * readers' buffers (the reconciler's store, messages, inagent). */
#define APP_SIZE_MAX          ((size_t)4 << 20) /* bytes of a manifest as JSON */
#define APP_DEPTH_MAX         64                /* nesting of the JSON */
#define APP_PACKAGES_MAX      1000
#define APP_PORTS_MAX         100
#define APP_TASKS_MAX         1000
#define APP_CONFIGS_MAX       5000         /* settings in one list */
#define APP_CONFIGS_DEPTH_MAX 4            /* nesting of settings and their values */
#define APP_NAME_MAX          100          /* bytes: the name of the spec or of a port, or a version */
#define APP_VOLUMES_MAX       32           /* of a manifest, and of an image */
#define APP_VOLUME_KEY_MAX    128          /* bytes: the name of a volume's directory; see app_volume_key() */
#define APP_ARGUMENT_MAX      (128 * 1024) /* bytes of one variable or argument, with its end: the kernel's */
#define APP_ARGUMENTS_MAX     ((size_t)2 << 20) /* bytes of all of them, with a stack of 8 MiB: the kernel's */
#define APP_READY_TIMEOUT     INT64_C(90)       /* seconds, unless the task says otherwise */
#define APP_READY_TIMEOUT_MAX INT64_C(86400)    /* seconds */
#define APP_WATCHDOG_MAX      INT64_C(86400)    /* seconds */
#define APP_PIDS_WITH_INAGENT INT64_C(100)
#define APP_PIDS_WITH_IMAGE   INT64_C(1000)
