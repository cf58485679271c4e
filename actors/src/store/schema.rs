//! The tables as diesel sees them: types that both databases have, the same for both. The migrations are the
//! truth; `tests::every_column_exists` holds this file against them on SQLite and on PostgreSQL.

diesel::table! {
    enterprises (id) {
        id -> BigInt,
        number -> Text,
        name -> Text,
        token -> Text,
        token_hash -> Text,
        active -> Bool,
        host_address -> Text,
        ssh_port -> Integer,
        ssh_user -> Text,
        host_key -> Text,
        originate_context -> Text,
        redirect_context -> Text,
        secret -> Text,
        bot_token -> Text,
        country -> Text,
        time_zone -> Text,
        language -> Text,
        integrations_config -> Text,
        settings -> Text,
        debug_log -> Bool,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        host_kind -> Text,
        ssh_key -> Text,
    }
}

diesel::table! {
    users (id) {
        id -> BigInt,
        enterprise_id -> Nullable<BigInt>,
        login -> Text,
        full_name -> Text,
        role -> Text,
        password_hash -> Text,
        language -> Text,
        active -> Bool,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        password_once -> Bool,
    }
}

diesel::table! {
    user_internal_phones (id) {
        id -> BigInt,
        enterprise_id -> BigInt,
        user_id -> Nullable<BigInt>,
        extension -> Text,
        display_name -> Text,
    }
}

diesel::table! {
    sessions (id) {
        id -> BigInt,
        token_hash -> Text,
        user_id -> BigInt,
        csrf -> Text,
        address -> Text,
        agent -> Text,
        created_at -> Timestamp,
        last_seen_at -> Timestamp,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    audit_log (id) {
        id -> BigInt,
        enterprise_id -> Nullable<BigInt>,
        user_id -> Nullable<BigInt>,
        who -> Text,
        action -> Text,
        what -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    lines (id) {
        id -> BigInt,
        enterprise_id -> BigInt,
        line -> Text,
        name -> Text,
        rules -> Text,
    }
}

diesel::table! {
    call_events (id) {
        id -> BigInt,
        enterprise_id -> BigInt,
        call_id -> Nullable<BigInt>,
        event_type -> Text,
        unique_id -> Text,
        linked_id -> Text,
        bridge_id -> Text,
        event_timestamp -> Timestamp,
        received_at -> Timestamp,
        event_key -> Binary,
        host_event_id -> Text,
        raw_data -> Text,
        data_source -> Text,
        telegram_sent -> Bool,
        parked -> Bool,
        note -> Text,
    }
}

diesel::table! {
    calls (id) {
        id -> BigInt,
        uuid -> Text,
        enterprise_id -> BigInt,
        unique_id -> Text,
        linked_id -> Text,
        state -> Text,
        phone -> Nullable<Text>,
        raw_phone -> Text,
        extension -> Text,
        rung -> Text,
        talked -> Text,
        made_by -> Nullable<Text>,
        line -> Text,
        direction -> Text,
        result -> Nullable<Text>,
        received_at -> Timestamp,
        answered_at -> Nullable<Timestamp>,
        ended_at -> Nullable<Timestamp>,
        wait_seconds -> Integer,
        talk_seconds -> Integer,
        recording -> Text,
        hung_up_by -> Text,
        request_id -> Text,
        events_count -> Integer,
        data_source -> Text,
        merged_into -> Nullable<BigInt>,
        fault -> Text,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    customers (id) {
        id -> BigInt,
        enterprise_id -> BigInt,
        phone -> Text,
        name -> Text,
        name_source -> Text,
        calls_count -> Integer,
        answered_count -> Integer,
        missed_count -> Integer,
        talk_seconds -> BigInt,
        first_call_at -> Timestamp,
        last_call_at -> Timestamp,
    }
}

diesel::table! {
    deliveries (id) {
        id -> BigInt,
        enterprise_id -> BigInt,
        integration -> Text,
        call_id -> BigInt,
        unique_id -> Text,
        kind -> Text,
        position -> Integer,
        state -> Text,
        payload -> Text,
        attempts -> Integer,
        not_before -> Timestamp,
        expires_at -> Nullable<Timestamp>,
        leased_until -> Nullable<Timestamp>,
        lease_owner -> Text,
        outcome -> Text,
        created_at -> Timestamp,
        finished_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    integration_logs (id) {
        id -> BigInt,
        enterprise_id -> BigInt,
        enterprise_number -> Text,
        integration_type -> Text,
        event_type -> Text,
        delivery_id -> Nullable<BigInt>,
        call_unique_id -> Text,
        phone_number -> Text,
        internal_extension -> Text,
        request_data -> Text,
        response_data -> Text,
        status -> Text,
        error_message -> Text,
        response_time_ms -> Integer,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    telegram_users (id) {
        id -> BigInt,
        enterprise_id -> BigInt,
        chat_id -> BigInt,
        name -> Text,
        active -> Bool,
        disabled_reason -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    telegram_messages (id) {
        id -> BigInt,
        enterprise_id -> BigInt,
        call_id -> BigInt,
        chat_id -> BigInt,
        message_id -> Nullable<BigInt>,
        phone -> Text,
        text -> Text,
        #[sql_name = "final"]
        is_final -> Bool,
        note -> Text,
        sent_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    refusals (id) {
        id -> BigInt,
        enterprise_id -> Nullable<BigInt>,
        event_type -> Text,
        reason -> Text,
        detail -> Text,
        address -> Text,
        body -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    call_requests (id) {
        id -> Text,
        enterprise_id -> BigInt,
        extension -> Text,
        number -> Text,
        source -> Text,
        state -> Text,
        words -> Text,
        call_id -> Nullable<BigInt>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    manager_statuses (id) {
        id -> BigInt,
        enterprise_id -> BigInt,
        integration -> Text,
        manager -> Text,
        status -> Text,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    kept (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    memories (enterprise_id, integration, name) {
        enterprise_id -> BigInt,
        integration -> Text,
        name -> Text,
        memory -> Text,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    crm_tokens (enterprise_id, integration) {
        enterprise_id -> BigInt,
        integration -> Text,
        tokens -> Text,
        version -> BigInt,
        lease_owner -> Text,
        leased_until -> Nullable<Timestamp>,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    telegram_invitations (id) {
        id -> BigInt,
        enterprise_id -> BigInt,
        code_hash -> Text,
        hint -> Text,
        single -> Bool,
        made_by -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        ended_at -> Nullable<Timestamp>,
        uses -> Integer,
        last_chat -> Nullable<BigInt>,
        last_name -> Text,
        used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    telegram_listeners (bot_id) {
        bot_id -> BigInt,
        lease_owner -> Text,
        leased_until -> Nullable<Timestamp>,
        trouble -> Text,
        updated_at -> Timestamp,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    audit_log,
    call_events,
    call_requests,
    calls,
    crm_tokens,
    customers,
    deliveries,
    enterprises,
    integration_logs,
    kept,
    lines,
    manager_statuses,
    memories,
    refusals,
    sessions,
    telegram_invitations,
    telegram_listeners,
    telegram_messages,
    telegram_users,
    user_internal_phones,
    users,
);
