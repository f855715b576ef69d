/* Reads the index of a repository in a directory. */
#pragma once

#include "fetcher/repository.h"

void repository_load_file(struct repository *repository);
