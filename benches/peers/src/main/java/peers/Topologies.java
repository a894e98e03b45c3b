package peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.BuiltInDslStoreSuppliers;
import org.apache.kafka.streams.state.KeyValueStore;

/** The workloads' topologies. Keys and values are eight-byte numbers and byte strings unless a name says otherwise. */
final class Topologies {
    private static final Serde<Long> LONG = Serdes.Long();
    private static final Serde<byte[]> BYTES = Serdes.ByteArray();
    private static final Serde<String> TEXT = Serdes.String();
    private static final Duration GRACE = Duration.ofSeconds(10);

    private final StreamsBuilder builder = new StreamsBuilder();
    private final Arguments arguments;

    private Topologies(Arguments arguments) {
        this.arguments = arguments;
    }

    static Topology build(Arguments arguments) {
        Topologies topologies = new Topologies(arguments);
        topologies.add(arguments.get("topology"));
        return topologies.builder.build();
    }

    private void add(String workload) {
        switch (workload) {
            case "passthrough":
                builder.stream(arguments.get("input"), Consumed.with(BYTES, BYTES)).to(output(), Produced.with(BYTES, BYTES));
                break;
            case "stateless":
                input().filter((key, value) -> (word(value, 8) & 3) != 0)
                    .mapValues(value -> words(word(value, 0), word(value, 8) * 3 + 1))
                    .flatMapValues(value -> List.of(word(value, 0), word(value, 8)))
                    .to(output(), Produced.with(LONG, LONG));
                break;
            case "count":
                grouped().count(kept(LONG, LONG)).toStream().to(output(), Produced.with(LONG, LONG));
                break;
            case "reduce":
                grouped().reduce((old, now) -> now, kept(LONG, BYTES)).toStream().to(output(), Produced.with(LONG, BYTES));
                break;
            case "aggregate_json":
                Serde<Deposit> deposits = json(Deposit.class);
                Serde<Balance> balances = json(Balance.class);
                builder.stream(arguments.get("input"), Consumed.with(TEXT, deposits)).groupByKey(Grouped.with(TEXT, deposits))
                    .aggregate(() -> new Balance("", 0, 0), (account, deposit, balance) -> balance.with(deposit), kept(TEXT, balances))
                    .toStream().to(output(), Produced.with(TEXT, balances));
                break;
            case "wordcount":
                builder.stream(arguments.get("input"), Consumed.with(LONG, TEXT))
                    .flatMapValues(line -> Arrays.asList(line.split(" ")))
                    .groupBy((key, word) -> word, Grouped.with(TEXT, TEXT))
                    .count(kept(TEXT, LONG)).toStream().to(output(), Produced.with(TEXT, LONG));
                break;
            case "hopping_window_count":
                TimeWindows windows = TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), GRACE).advanceBy(Duration.ofSeconds(1));
                grouped().windowedBy(windows).count(windowed()).toStream((key, count) -> be(key.key(), key.window().start()))
                    .to(output(), Produced.with(BYTES, LONG));
                break;
            case "session_count":
                grouped().windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofSeconds(2), GRACE)).count(windowed())
                    .toStream((key, count) -> be(key.key(), key.window().end(), key.window().start()))
                    .to(output(), Produced.with(BYTES, LONG));
                break;
            case "stream_table_join":
                input().leftJoin(table("input2"), (value, row) -> words(word(value, 0), row == null ? -1 : word(row, 0)),
                    Joined.with(LONG, BYTES, BYTES)).to(output(), Produced.with(LONG, BYTES));
                break;
            case "stream_stream_join":
                StreamJoined<Long, byte[], byte[]> joined = StreamJoined.with(LONG, BYTES, BYTES);
                KStream<Long, byte[]> right = builder.stream(arguments.get("input2"), Consumed.with(LONG, BYTES));
                input().join(right, (left, other) -> words(word(left, 0), word(other, 0)),
                    JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(1), GRACE),
                    inMemory() ? joined.withDslStoreSuppliers(BuiltInDslStoreSuppliers.IN_MEMORY) : joined)
                    .to(output(), Produced.with(LONG, BYTES));
                break;
            case "fk_join":
                table("input").join(table("input2"), value -> word(value, 8), (left, other) -> words(word(left, 0), word(other, 0)),
                    kept(LONG, BYTES)).toStream().to(output(), Produced.with(LONG, BYTES));
                break;
            case "bank_account":
                bankAccount();
                break;
            default:
                throw new IllegalArgumentException("there is no topology `" + workload + "`");
        }
    }

    /** Operations joined with the balances that their own movements make. */
    private void bankAccount() {
        String around = arguments.get("loop");
        KTable<Long, byte[]> accounts = builder.stream(around, Consumed.with(LONG, BYTES)).groupByKey(Grouped.with(LONG, BYTES))
            .aggregate(() -> words(0, 0),
                (key, movement, account) -> words(word(account, 0) + 1, word(account, 8) + word(movement, 8)), kept(LONG, BYTES));
        input().leftJoin(accounts, (operation, account) -> {
            long amount = word(operation, 8);
            long balance = account == null ? 0 : word(account, 8);
            return words(word(operation, 0), balance + amount >= 0 ? amount : 0);
        }, Joined.with(LONG, BYTES, BYTES)).to(around, Produced.with(LONG, BYTES));
        accounts.toStream().to(output(), Produced.with(LONG, BYTES));
    }

    private KStream<Long, byte[]> input() {
        return builder.stream(arguments.get("input"), Consumed.with(LONG, BYTES));
    }

    private KGroupedStream<Long, byte[]> grouped() {
        return input().groupByKey(Grouped.with(LONG, BYTES));
    }

    private KTable<Long, byte[]> table(String topic) {
        return builder.table(arguments.get(topic), Consumed.with(LONG, BYTES), kept(LONG, BYTES));
    }

    private String output() {
        return arguments.get("output");
    }

    private boolean inMemory() {
        return arguments.get("store").equals("memory");
    }

    private <K, V> Materialized<K, V, KeyValueStore<Bytes, byte[]>> kept(Serde<K> keys, Serde<V> values) {
        Materialized<K, V, KeyValueStore<Bytes, byte[]>> kept = Materialized.with(keys, values);
        return inMemory() ? kept.withStoreType(BuiltInDslStoreSuppliers.IN_MEMORY) : kept;
    }

    private <S extends org.apache.kafka.streams.processor.StateStore> Materialized<Long, Long, S> windowed() {
        Materialized<Long, Long, S> kept = Materialized.with(LONG, LONG);
        return inMemory() ? kept.withStoreType(BuiltInDslStoreSuppliers.IN_MEMORY) : kept;
    }

    /** The eight bytes at a place, big-endian. */
    static long word(byte[] bytes, int at) {
        return ByteBuffer.wrap(bytes).getLong(at);
    }

    static byte[] words(long first, long second) {
        return be(first, second);
    }

    private static byte[] be(long... numbers) {
        ByteBuffer bytes = ByteBuffer.allocate(8 * numbers.length);
        for (long number : numbers) {
            bytes.putLong(number);
        }
        return bytes.array();
    }

    /** What is paid into an account, as JSON. */
    record Deposit(String account, long amount) {
    }

    /** What an account has, as JSON in topics and stores. */
    record Balance(String account, long balance, long count) {
        Balance with(Deposit deposit) {
            return new Balance(deposit.account(), balance + deposit.amount(), count + 1);
        }
    }

    private static final ObjectMapper JSON = new ObjectMapper();

    private static <T> Serde<T> json(Class<T> type) {
        return Serdes.serdeFrom((topic, value) -> {
            try {
                return value == null ? null : JSON.writeValueAsBytes(value);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }, (topic, bytes) -> {
            try {
                return bytes == null ? null : JSON.readValue(bytes, type);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        });
    }
}
