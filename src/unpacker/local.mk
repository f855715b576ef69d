# src/unpacker
