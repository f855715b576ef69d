/* Fuzzes merges of json into json: see merge.h. */
#include "merge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    merge_input(CONFIG_JSON, data, size);
    return 0;
}
