"""How weights learn: adapters on frozen bases or whole networks, optimisers, schedules, the running mean."""
