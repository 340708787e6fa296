"""Numbers that tune what this broker does not have: Kerberos, refreshing of logins, I/O buffers.

Kafka lets them be changed while the broker runs, and takes them without the feature; so do we, for
administration tools set them. Only numbers belong here: nobody becomes less safe when a time or a
size has nothing to act on. A setting that would promise safety is refused (`kafka_keys.py`).
"""

from godel.config.setting import Config, ValueType, setting


class AbsentFeatures(Config):
    """Part of `BrokerConfig`."""

    sasl_kerberos_min_time_before_relogin: int = setting(
        "sasl.kerberos.min.time.before.relogin",
        60_000,
        "The shortest time between two refreshes of a Kerberos login.",
        dynamic=True,
        cluster_wide=False,
        effect=False,
    )
    sasl_kerberos_ticket_renew_jitter: float = setting(
        "sasl.kerberos.ticket.renew.jitter",
        0.05,
        "How much chance there is in the time of renewing a Kerberos ticket.",
        dynamic=True,
        cluster_wide=False,
        effect=False,
    )
    sasl_kerberos_ticket_renew_window_factor: float = setting(
        "sasl.kerberos.ticket.renew.window.factor",
        0.8,
        "The part of a Kerberos ticket's life after which it is renewed.",
        dynamic=True,
        cluster_wide=False,
        effect=False,
    )
    sasl_login_refresh_buffer_seconds: int = setting(
        "sasl.login.refresh.buffer.seconds",
        300,
        "How long before its end a login is refreshed.",
        type=ValueType.SHORT,
        minimum=0,
        maximum=3600,
        dynamic=True,
        cluster_wide=False,
        effect=False,
    )
    sasl_login_refresh_min_period_seconds: int = setting(
        "sasl.login.refresh.min.period.seconds",
        60,
        "The shortest time between two refreshes of a login.",
        type=ValueType.SHORT,
        minimum=0,
        maximum=900,
        dynamic=True,
        cluster_wide=False,
        effect=False,
    )
    sasl_login_refresh_window_factor: float = setting(
        "sasl.login.refresh.window.factor",
        0.8,
        "The part of a login's life after which it is refreshed.",
        minimum=0.5,
        maximum=1.0,
        dynamic=True,
        cluster_wide=False,
        effect=False,
    )
    sasl_login_refresh_window_jitter: float = setting(
        "sasl.login.refresh.window.jitter",
        0.05,
        "How much chance there is in the time of refreshing a login.",
        minimum=0.0,
        maximum=0.25,
        dynamic=True,
        cluster_wide=False,
        effect=False,
    )
    log_cleaner_io_buffer_size: int = setting(
        "log.cleaner.io.buffer.size",
        524_288,
        "The buffers of Kafka's compaction, which reads in another way here.",
        type=ValueType.INT,
        minimum=0,
        dynamic=True,
        effect=False,
    )
    log_cleaner_io_buffer_load_factor: float = setting(
        "log.cleaner.io.buffer.load.factor",
        0.9,
        "How full the table of Kafka's compaction may become.",
        dynamic=True,
        effect=False,
    )
