/* Takes the reports of agents: at the socket that containers have mounted, and those that the HTTP port of a
 * zone passes on. Reports whether it is idle, so that a machine without a zone runs the process only while
 * agents report. */
#pragma once

#include "rpc-gateway/calls.h"
#include "rpc-gateway/http.h"

#define AGENTS_PATH "/in/api/v2/hostlet/inagent/status"

struct agents;

/* 'caller' and 'calls' are borrowed; 'listen_fd' is until agents_move() or agents_free(). */
int agents_new(const struct caller *caller, struct call_stats *calls, int listen_fd, struct agents **ret,
               struct error *e);
void agents_free(struct agents *agents);
/* Serves another listening socket, after the connections that wait at the present one. */
int agents_move(struct agents *agents, int listen_fd, struct error *e);
/* Handles one report. */
void agents_take_report(struct agents *agents, struct http_request *request);
/* Reports whether an agent is connected, or was since the last call. */
bool agents_are_active(struct agents *agents);
const struct http_counts *agents_counts(const struct agents *agents);
