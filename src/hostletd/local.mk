# src/hostletd
