# src/container-driver
