# src/inagent
