"""The tables of encryption.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "crypto_confirmed",
        sa.Column("room_id", sa.String(length=255), nullable=False),
        sa.Column("network", sa.String(length=40), nullable=False),
        sa.Column("ident", sa.Text(), nullable=False),
        sa.Column("confirmed_by", sa.String(length=255), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "network", "ident", name="pk_crypto_confirmed"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crypto_devices",
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("device_id", sa.String(length=255), nullable=False),
        sa.Column("curve_key", sa.String(length=64), nullable=False),
        sa.Column("signing_key", sa.String(length=64), nullable=False),
        sa.Column("cross_signed", sa.Boolean(), nullable=False),
        sa.Column("olm", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "device_id", name="pk_crypto_devices"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crypto_ghosts",
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("device_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_crypto_ghosts"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crypto_group_sessions",
        sa.Column("room_id", sa.String(length=255), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("sender", sa.String(length=255), nullable=False),
        sa.Column("curve_key", sa.String(length=64), nullable=False),
        sa.Column("signing_key", sa.String(length=64), nullable=False),
        sa.Column("pickle", sa.Text(), nullable=False),
        sa.Column("forwarded", sa.Boolean(), nullable=False),
        sa.Column("first_index", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "session_id", name="pk_crypto_group_sessions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crypto_olm_sessions",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("curve_key", sa.String(length=64), nullable=False),
        sa.Column("pickle", sa.Text(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_crypto_olm_sessions"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_crypto_olm_sessions_curve_key", "crypto_olm_sessions", ["curve_key"], unique=False
    )
    op.create_table(
        "crypto_own_sessions",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("room_id", sa.String(length=255), nullable=False),
        sa.Column("sender", sa.String(length=255), nullable=False),
        sa.Column("shares", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_crypto_own_sessions"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_crypto_own_sessions_created_at", "crypto_own_sessions", ["created_at"], unique=False
    )
    op.create_table(
        "crypto_rooms",
        sa.Column("room_id", sa.String(length=255), nullable=False),
        sa.Column("rotation_ms", sa.BigInteger(), nullable=False),
        sa.Column("rotation_messages", sa.Integer(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=True),
        sa.Column("notice_revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", name="pk_crypto_rooms"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crypto_users",
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("outdated", sa.Boolean(), nullable=False),
        sa.Column("master_key", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name="pk_crypto_users"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "crypto_values",
        sa.Column("key", sa.String(length=50), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_crypto_values"),
    )
    op.create_table(
        "crypto_waiting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("room_id", sa.String(length=255), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_crypto_waiting"),
        sa.UniqueConstraint("event_id", name="uq_crypto_waiting_event_id"),
    )
    op.create_index(
        "ix_crypto_waiting_session", "crypto_waiting", ["room_id", "session_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_crypto_waiting_session", table_name="crypto_waiting")
    op.drop_table("crypto_waiting")
    op.drop_table("crypto_values")
    op.drop_table("crypto_users")
    op.drop_table("crypto_rooms")
    op.drop_index("ix_crypto_own_sessions_created_at", table_name="crypto_own_sessions")
    op.drop_table("crypto_own_sessions")
    op.drop_index("ix_crypto_olm_sessions_curve_key", table_name="crypto_olm_sessions")
    op.drop_table("crypto_olm_sessions")
    op.drop_table("crypto_group_sessions")
    op.drop_table("crypto_ghosts")
    op.drop_table("crypto_devices")
    op.drop_table("crypto_confirmed")
