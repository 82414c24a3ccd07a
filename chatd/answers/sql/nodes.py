"""The parts that a statement may be made of, by the names that sqlglot gives them.

Lists of what is allowed, so that whatever a newer sqlglot learns to parse is refused until it
was looked at. Not here, on purpose: `Dot` (in Postgres `(row).name` calls a function of that
name), `Into`, `Lock`, `Parameter`, `Placeholder`, `Hint`, `NextValueFor`, `Command`.
"""

from chatd.answers.sql.functions import names

QUERIES = names("Select Union Except Intersect Subquery Values")

_CLAUSES = names("""
    With CTE From Join Lateral Table TableAlias Where Group GroupingSets Rollup Cube Having Order
    Ordered Limit LimitOptions Offset Fetch Distinct Window WindowSpec Filter WithinGroup
    IgnoreNulls RespectNulls HavingMax TableSample ColumnDef
""")

_VALUES = names("""
    Column Identifier Star Literal Boolean Null Paren Tuple Alias Aliases Bracket Slice Var
    DataType DataTypeParam Interval IntervalSpan HexString BitString National Collate AtTimeZone
    Kwarg JSONKeyValue JSONColumnDef JSONSchema JSONValue JSONPath JSONPathKey JSONPathRoot
    JSONPathSubscript ObjectIdentifier
""")

_OPERATORS = names("""
    Add Sub Mul Div Mod IntDiv Neg Pow DPipe BitwiseAnd BitwiseOr BitwiseXor BitwiseNot
    BitwiseLeftShift BitwiseRightShift
    EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is In Between Like ILike SimilarTo Glob Match
    RegexpLike RegexpILike Escape And Or Xor Not All Any Exists Overlaps Adjacent Distance
    ArrayContains ArrayContainsAll ArrayContainedBy ArrayOverlaps ExtendsLeft ExtendsRight
    JSONArrayContains JSONBContains JSONBContainsTopKey JSONBContainsAllTopKeys
    JSONBContainsAnyTopKeys JSONBDeleteAtPath JSONBPathExists JSONExtract JSONExtractScalar
    JSONBExtract JSONBExtractScalar MatchAgainst Case If Cast
""")

# What sqlglot makes of the functions of `functions`; `Anonymous` is checked by its name there.
_CALLS = names("""
    Abs Acos Acosh Anonymous AnyValue Array ArrayAgg ArrayAppend ArrayConcat ArrayPosition
    ArrayPrepend ArrayRemove ArrayReverse ArraySize ArraySort ArrayToString Ascii Asin Asinh
    Atan Atan2 Atanh Avg BitLength BitwiseAndAgg BitwiseCount BitwiseOrAgg BitwiseXorAgg
    CastToStrType Cbrt Ceil Chr Coalesce Concat ConcatWs ConvertTimezone Corr Cos Cosh Cot Count
    CovarPop CovarSamp CumeDist CurrentCatalog CurrentDatabase CurrentDate CurrentRole
    CurrentSchema CurrentSchemas CurrentTime CurrentTimestamp CurrentUser CurrentVersion Date
    DateAdd DateBin DateDiff DateSub DateTrunc Day DayOfMonth DayOfWeek DayOfYear Dayname Decode
    DecodeCase Degrees DenseRank Elt Encode Exp Explode ExplodingGenerateSeries Extract
    Factorial FirstValue Floor Format FromBase64 GenerateSeries Getbit Greatest GroupConcat
    Grouping Hex Host Hour Initcap JSONArrayAgg JSONArrayAppend JSONArrayInsert JSONBObjectAgg
    JSONKeys JSONObject JSONObjectAgg JSONRemove JSONSet JSONStripNulls JSONTable JSONType
    JustifyDays JustifyHours JustifyInterval Lag LastDay LastValue Lead Least Left Length
    Levenshtein Ln Localtime Localtimestamp Log LogicalAnd LogicalOr Lower MD5 MakeInterval Max
    Median Min Minute Mode Month Normalize NthValue Ntile Nullif NumberToStr Overlay Pad
    PercentRank PercentileCont PercentileDisc Pi Quarter Radians Rand Rank RegexpCount
    RegexpInstr RegexpReplace RegexpSubstr RegrAvgx RegrAvgy RegrCount RegrIntercept RegrR2
    RegrSlope RegrSxx RegrSxy RegrSyy Repeat Replace Reverse Right Round RowNumber SHA SHA2
    SHA2Digest Second SessionUser Sign Sin Sinh Soundex Space SplitPart Sqrt StDistance
    StartsWith Stddev StddevPop StddevSamp StrPosition StrToDate StrToTime StringToArray
    Substring SubstringIndex Sum Tan Tanh Time TimeFromParts TimeToStr Timestamp TimestampAdd
    TimestampDiff TimestampFromParts TimestampTrunc ToBase64 ToNumber Translate Trim Trunc
    TsOrDsToDate TsOrDsToTimestamp Typeof Unhex Unicode UnixToTime Unnest Upper UtcDate UtcTime
    UtcTimestamp Uuid Variance VariancePop Week WeekOfYear WeightString WidthBucket Year
""")

READING = QUERIES | _CLAUSES | _VALUES | _OPERATORS | _CALLS

# Statements that write; of the last three only those of ordinary tables and their indexes.
WRITES = names("Insert Update Delete Merge TruncateTable Create Alter Drop")

WRITING = (
    READING
    | WRITES
    | names("""
    Schema Returning OnConflict When Whens ColumnConstraint Reference ForeignKey
    PrimaryKey Constraint Index IndexParameters AddConstraint AlterColumn AlterRename RenameColumn
    NotNullColumnConstraint PrimaryKeyColumnConstraint UniqueColumnConstraint
    DefaultColumnConstraint CheckColumnConstraint AutoIncrementColumnConstraint
    GeneratedAsIdentityColumnConstraint ComputedColumnConstraint CollateColumnConstraint
""")
)

WRITABLE_KINDS = frozenset({"TABLE", "INDEX", "COLUMN", "CONSTRAINT"})

# What a program puts a value in for: `?`, `:id`, `%s`, `@id`.
FILLED_IN = frozenset({"Parameter", "Placeholder"})
