-- Tables that a request's bytes are parsed into to see whether they can be, and that keep nothing and feed nothing.
-- When a batch is refused, this tells the offender from its neighbours without writing any of them.

CREATE TABLE IF NOT EXISTS check_traces${on_cluster} AS landing_traces ENGINE = Null;

CREATE TABLE IF NOT EXISTS check_logs${on_cluster} AS landing_logs ENGINE = Null;

CREATE TABLE IF NOT EXISTS check_metrics${on_cluster} AS landing_metrics ENGINE = Null;

CREATE TABLE IF NOT EXISTS check_traces_nested${on_cluster} AS landing_traces_nested ENGINE = Null;

CREATE TABLE IF NOT EXISTS check_logs_nested${on_cluster} AS landing_logs_nested ENGINE = Null;

CREATE TABLE IF NOT EXISTS check_metrics_nested${on_cluster} AS landing_metrics_nested ENGINE = Null;
