"""Will it hold, and what is the bill? What would be deployed, played through a day before anybody rents one.

`read` takes the services, their scaling and their settings from the synthesized templates; `workload` draws
the day's archives; `model` plays them through queue, scaling, Fargate and the services' own rules; `bill`
prices what the day used. It promises no seconds, and says on which assumptions its answer hangs
(docs/capacity.md).
"""
