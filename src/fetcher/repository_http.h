/* Reads the index of a repository on a server. */
#pragma once

#include "fetcher/repository.h"

void repository_load_http(struct repository *repository);
