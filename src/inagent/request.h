/* Follows an administrator's requests to run a task: hostlet writes each as
 * {home}/.innerstack/task_request.json, in place of the last one.
 *
 * Pure: the caller reads the file. */
#pragma once

#include "inagent/tasks.h"
#include "lib/basic/error.h"

#define REQUEST_NAME "task_request.json"
/* bytes of the file; hostlet writes smaller ones */
#define REQUEST_SIZE_MAX ((size_t)16 << 10)

/* The last request. Initialise it with zeros. */
struct request_file {
    char id[REQUEST_ID_MAX + 1]; /* "": none was read */
    char *task;
    /* inagent does not have the task of the request. */
    bool unknown;
};

extern const char *const request_state_names[_REQUEST_STATE_MAX];

bool request_id_is_valid(const char *id);

/* Reads the content of the file. Returns 1 for a request that differs from the last one, 0 for the same, or
 * −EINVAL (refused) if it is none. */
int request_read(struct request_file *file, const char *data, size_t size, struct error *e);

/* Decides about the request: asks the plan for the run, or refuses it. 'stopping': the container shuts down.
 * Returns the task; NULL: there is no such task. */
struct task *request_decide(struct request_file *file, struct plan *plan, bool stopping);

/* Notes in the task that its request was not served: an earlier process of this container ended before. Does
 * nothing if the task's own record of the request is known. */
void request_missed(const struct request_file *file, struct plan *plan);

/* Returns why the task's request was refused or interrupted; "": it was not. */
const char *request_message(const struct task *task);

/* Note that the task's run began and ended. */
void request_began(struct task *task);
void request_ended(struct task *task);

void request_file_clear(struct request_file *file);
