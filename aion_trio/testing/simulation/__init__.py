"""The whole engine under simulation: random programs, clients, store failures and crashes, judged by a model of them."""
