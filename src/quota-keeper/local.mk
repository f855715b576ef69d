# src/quota-keeper
