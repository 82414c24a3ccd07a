"""The functions that a statement may call, by dialect; all others are refused.

The lists have what computes from its arguments, or tells what a reader of the database may see in
its catalogue: no files, no other sessions, no waiting, no locks, no sequences, no statement as
text, and of the settings harmless ones alone (`SETTINGS`). If a call states the size of what it
makes, the size has to be small (`SIZES`, `FORMATS`, and `sizes`). What grows with the rows and the
texts that go in, the server bounds in part: SQLite by the limits of its db-mcp; Postgres by time,
which some functions do not heed, and not by memory, as `array_agg` and its like keep whatever comes
until the statement ends, beyond work_mem. The memory of a Postgres is for its operator to bound
(docs/answers, "PostgreSQL"). The lists of SQLite are also those of the authorizer in the db-mcp. A
function that is missed by an honest question goes on the list of its dialect, after a look at its
page in the manual.

A list names functions of the server alone. What an extension adds is a function of its
author, and a name that the server does not have is free for a user's function.
"""

from collections.abc import Mapping

from chatd.answers.sql.lexer import Dialect


def names(text: str) -> frozenset[str]:
    """The names of a text, as they stand there."""
    return frozenset(text.split())


def words(text: str) -> frozenset[str]:
    """The words of a text, as the lexer writes them."""
    return frozenset(text.upper().split())


_EVERYWHERE = words("""
    abs ceil ceiling floor round sign sqrt exp ln log power pow mod pi sin cos tan asin acos atan
    atan2 degrees radians log10
    avg count max min sum
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value
    nth_value
    lower upper length trim ltrim rtrim replace substr substring concat concat_ws
    octet_length
    coalesce nullif
    current_date current_time current_timestamp
""")

SQLITE_FUNCTIONS = _EVERYWHERE | words("""
    log2 acosh asinh atanh cosh sinh tanh trunc total group_concat string_agg
    median percentile percentile_cont percentile_disc
    char format glob hex ifnull iif if instr like likelihood likely unlikely printf quote
    random randomblob soundex sqlite_version typeof unicode unhex unistr unistr_quote zeroblob
    date time datetime julianday strftime unixepoch timediff
    json json_array json_array_length json_error_position json_extract json_group_array
    json_group_object json_insert json_object json_pretty json_quote json_remove json_replace
    json_set json_type json_valid
    jsonb jsonb_array jsonb_extract jsonb_group_array jsonb_group_object jsonb_object
    match bm25 highlight snippet
""")
"""Not json_patch: its time grows with the square of its keys, and nothing stops it."""
SQLITE_ROW_SOURCES = words("json_each json_tree")
"""Functions of SQLite that stand in FROM."""

_POSTGRES = words("""
    cbrt div factorial gcd lcm min_scale scale trim_scale trunc width_bucket random acosh asinh
    atanh cosh sinh tanh cot acosd asind atand cosd sind tand
    array_agg bool_and bool_or every bit_and bit_or bit_xor string_agg json_agg jsonb_agg
    json_object_agg jsonb_object_agg range_agg corr covar_pop covar_samp regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop
    stddev_samp variance var_pop var_samp mode percentile_cont percentile_disc grouping any_value
    ascii bit_length btrim character_length chr convert_from convert_to decode encode format initcap
    left lpad md5 normalize overlay parse_ident position quote_ident quote_literal quote_nullable
    regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
    regexp_split_to_array regexp_split_to_table regexp_substr repeat reverse right rpad sha224
    sha256 sha384 sha512 split_part starts_with string_to_array string_to_table strpos to_ascii
    to_hex translate unistr
    age clock_timestamp date_bin date_part date_trunc extract isfinite justify_days justify_hours
    justify_interval localtime localtimestamp make_date make_interval make_time make_timestamp
    make_timestamptz now statement_timestamp timeofday to_timestamp transaction_timestamp to_char
    to_date to_number overlaps timezone date
    greatest least num_nonnulls num_nulls
    array_append array_cat array_dims array_length array_lower array_ndims array_position
    array_positions array_prepend array_remove array_replace array_to_string array_upper
    cardinality trim_array unnest generate_series generate_subscripts array_to_json
    json_array_elements json_array_elements_text json_array_length json_build_array
    json_build_object json_each json_each_text json_extract_path json_extract_path_text json_object
    json_object_keys json_populate_record json_strip_nulls json_to_record json_to_recordset
    json_typeof row_to_json to_json to_jsonb jsonb_array_elements jsonb_array_elements_text
    jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
    jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys
    jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array
    jsonb_path_query_first jsonb_pretty jsonb_set jsonb_strip_nulls jsonb_to_record
    jsonb_to_recordset jsonb_typeof
    isempty lower_inc lower_inf upper_inc upper_inf range_merge int4range int8range numrange tsrange
    tstzrange daterange
    area center diameter height width point box circle lseg path
    host hostmask netmask network broadcast masklen abbrev family inet_merge inet_same_family
    to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd
    ts_headline numnode querytree setweight strip tsvector_to_array
    gen_random_uuid pg_typeof version current_schema
    current_user session_user user current_role current_catalog
    char_length
    bit_count get_bit get_byte set_bit set_byte casefold crc32 crc32c to_bin to_oct
    cotd atan2d erf erfc random_normal date_add date_subtract uuidv4 uuidv7 uuid_extract_timestamp
    uuid_extract_version
    array_reverse array_sample array_shuffle array_sort
    json_populate_recordset jsonb_populate_record jsonb_populate_recordset
    jsonb_path_exists_tz jsonb_path_match_tz jsonb_path_query_tz jsonb_path_query_array_tz
    jsonb_path_query_first_tz
    multirange int4multirange int8multirange nummultirange tsmultirange tstzmultirange
    datemultirange range_intersect_agg
    set_masklen inet_merge slope diagonal isclosed isopen npoints polygon line
    ts_delete ts_filter tsquery_phrase array_to_tsvector json_to_tsvector jsonb_to_tsvector
    get_current_ts_config
    enum_first enum_last enum_range
    current_database current_schemas current_setting pg_backend_pid pg_client_encoding
    getdatabaseencoding pg_encoding_to_char pg_is_in_recovery pg_postmaster_start_time
    pg_size_pretty pg_size_bytes pg_column_size pg_database_size
""")
"""Not ts_rewrite, ts_stat and query_to_xml: they run a text as a statement, past the guard."""
OF_TABLES = words("""
    pg_relation_size pg_total_relation_size pg_table_size pg_indexes_size to_regclass to_regtype
    pg_get_viewdef pg_get_indexdef pg_get_constraintdef pg_get_expr pg_get_userbyid
    pg_get_serial_sequence pg_table_is_visible obj_description col_description shobj_description
    format_type has_table_privilege has_any_column_privilege has_column_privilege
    has_schema_privilege has_database_privilege
""")
"""Functions of Postgres that tell of what their arguments name, whatever the statement is about:
as much as the catalogue tells, so that they are for questions that may touch the catalogue."""
SETTINGS = words("""
    timezone datestyle intervalstyle lc_collate lc_ctype lc_messages lc_monetary lc_numeric lc_time
    server_version server_version_num server_encoding client_encoding default_text_search_config
    search_path bytea_output extra_float_digits statement_timeout lock_timeout
    idle_in_transaction_session_timeout transaction_isolation default_transaction_isolation
    transaction_read_only default_transaction_read_only in_hot_standby is_superuser
    client_connection_check_interval max_connections work_mem jit block_size
""")
"""Settings of Postgres that tell nothing of files, addresses, keys or other users. Those with a dot
in their names are of extensions and applications, which keep secrets there."""

_MYSQL = words("""
    log2 conv cot crc32 rand truncate
    any_value bit_and bit_or bit_xor group_concat json_arrayagg json_objectagg std stddev stddev_pop
    stddev_samp var_pop var_samp variance grouping
    ascii bin bit_count bit_length char char_length character_length elt export_set field
    find_in_set format from_base64 hex instr lcase left locate lpad make_set mid oct ord position
    quote regexp_instr
    regexp_like regexp_replace regexp_substr repeat reverse right rpad soundex space strcmp
    substring_index to_base64 ucase unhex weight_string
    md5 sha sha1 sha2 uuid_to_bin bin_to_uuid inet_aton inet_ntoa inet6_aton inet6_ntoa is_ipv4
    is_ipv6 is_uuid
    adddate addtime convert_tz curdate curtime date date_add date_format date_sub datediff day
    dayname dayofmonth dayofweek dayofyear extract from_days from_unixtime get_format hour last_day
    localtime localtimestamp makedate maketime microsecond minute month monthname now period_add
    period_diff quarter sec_to_time second str_to_date subdate subtime sysdate time time_format
    time_to_sec timediff timestamp timestampadd timestampdiff to_days to_seconds unix_timestamp
    utc_date utc_time utc_timestamp week weekday weekofyear year yearweek
    convert if ifnull isnull greatest least interval nullif
    json_array json_array_append json_array_insert json_contains json_contains_path json_depth
    json_extract json_insert json_keys json_length json_merge_patch json_merge_preserve json_object
    json_overlaps json_pretty json_quote json_remove json_replace json_schema_valid json_search
    json_set json_storage_size json_table json_type json_unquote json_valid json_value
    match uuid version database schema current_user session_user user
    st_area st_astext st_asgeojson st_contains st_distance st_distance_sphere st_geomfromtext
    st_intersects st_length st_within st_x st_y point
""")

_GRAMMAR = words("cast")  # not a function, but written as one

FUNCTIONS: Mapping[Dialect, frozenset[str]] = {
    "sqlite": SQLITE_FUNCTIONS | SQLITE_ROW_SOURCES | _GRAMMAR,
    "postgres": _EVERYWHERE | _POSTGRES | OF_TABLES | _GRAMMAR,
    "mysql": _EVERYWHERE | _MYSQL | _GRAMMAR,
}

UNLISTED: Mapping[Dialect, frozenset[str]] = {
    "sqlite": frozenset(),
    "postgres": words("""
        bitand bitor bitxor char date_in dcbrt dexp dlog10 dpow dround dsqrt dtrunc
        json_array_element json_array_element_text jsonb_array_element jsonb_array_element_text like
        xpath
    """),
    "mysql": words("st_z"),
}
"""Functions of the servers that nobody may call, and whose names are one slip from those of the
lists: they are refused, and not taken for misspelt."""

SIZE_MAX = 10_000  # characters or times that a call may state; one that states more is refused

# Which argument of a function, from 0, is the size of what it makes.
SIZES: Mapping[Dialect, Mapping[str, int]] = {
    "sqlite": {"RANDOMBLOB": 0, "ZEROBLOB": 0},
    "postgres": {"LPAD": 1, "REPEAT": 1, "RPAD": 1},
    "mysql": {"LPAD": 1, "REPEAT": 1, "RPAD": 1, "SPACE": 0},
}
SIZE_BESIDE_MAX = 100
"""Characters that the sizes of a statement may come to beside what would multiply them."""
# Functions, and words without a parenthesis, that do so: they collect, search, or repeat.
BESIDE_NO_SIZE: Mapping[Dialect, tuple[frozenset[str], frozenset[str]]] = {
    "sqlite": (frozenset(), frozenset()),
    "postgres": (
        words("""
            array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg
            position strpos replace split_part string_to_array string_to_table substring translate
            regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
            regexp_split_to_array regexp_split_to_table regexp_substr
        """),
        words("like ilike similar recursive"),
    ),
    "mysql": (
        words("""
            group_concat json_arrayagg json_objectagg
            find_in_set instr locate position replace substring_index regexp_instr regexp_like
            regexp_replace regexp_substr
        """),
        words("like regexp rlike recursive"),
    ),
}
CHARACTERS_MAX = 100  # characters that a call of these may look for
# Functions whose time grows with the text times the characters to look for, their second argument.
SETS: Mapping[Dialect, frozenset[str]] = {
    "sqlite": frozenset(),  # its db-mcp bounds them: sqlite_mcp.functions
    "postgres": words("btrim ltrim rtrim translate trim"),
    "mysql": frozenset(),  # its trim takes off one string
}
# Functions whose first argument is a format with sizes in it, as %20s and %.3f.
FORMATS: Mapping[Dialect, frozenset[str]] = {
    "sqlite": words("format printf"),
    "postgres": words("format"),
    "mysql": frozenset(),
}

# The columns of functions that stand in FROM, in Postgres ("Set Returning Functions", "JSON
# Functions"); `ITSELF` is named after the alias, or else after the function. Of a function that is
# not here, only the columns that its alias names are known.
ITSELF = ""
_COLUMNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("json_each json_each_text jsonb_each jsonb_each_text", ("key", "value")),
    ("json_array_elements json_array_elements_text", ("value",)),
    ("jsonb_array_elements jsonb_array_elements_text", ("value",)),
    ("generate_series generate_subscripts unnest", (ITSELF,)),
    ("json_object_keys jsonb_object_keys jsonb_path_query", (ITSELF,)),
    ("regexp_matches regexp_split_to_table string_to_table", (ITSELF,)),
)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    name: columns for names, columns in _COLUMNS for name in names.split()
}

# What is called in FROM without parentheses, in Postgres (gram.y, func_expr_common_subexpr).
CALLED_BY_WORD = words("""
    current_catalog current_date current_role current_schema current_time current_timestamp
    current_user localtime localtimestamp session_user system_user user
""")
