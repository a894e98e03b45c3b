package interop;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.SessionWindowedSerializer;
import org.apache.kafka.streams.kstream.TimeWindowedSerializer;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.streams.kstream.internals.TimeWindow;
import org.apache.kafka.streams.kstream.internals.WindowedSerializer;
import org.apache.kafka.streams.kstream.internals.WindowedStreamPartitioner;

/** Writes keys of every built-in serde to where Kafka's clients place them; the value of each says its kind and its number. */
final class Keys {
    private final String topic;
    private final int partitions;
    private final KafkaProducer<byte[], byte[]> producer;

    Keys(Arguments arguments) {
        topic = arguments.get("topic");
        producer = new KafkaProducer<>(Map.of("bootstrap.servers", arguments.get("bootstrap")), new ByteArraySerializer(),
            new ByteArraySerializer());
        partitions = producer.partitionsFor(topic).size();
    }

    void write(int count) {
        for (int i = 0; i < count; i++) {
            long v = i * 7919L - 30000;
            write("String", i, Serdes.String(), "ключ-" + v);
            write("Short", i, Serdes.Short(), (short) v);
            write("Integer", i, Serdes.Integer(), (int) (v * 65537));
            write("Long", i, Serdes.Long(), v * 4294967311L);
            write("Float", i, Serdes.Float(), v / 8.0f);
            write("Double", i, Serdes.Double(), v / 7.0);
            write("Boolean", i, Serdes.Boolean(), i % 2 == 0);
            write("UUID", i, Serdes.UUID(), new UUID(v, ~v));
            write("ByteArray", i, Serdes.ByteArray(), ("b" + v).getBytes(StandardCharsets.UTF_8));
            write("Bytes", i, Serdes.Bytes(), Bytes.wrap(("b" + v).getBytes(StandardCharsets.UTF_8)));
            write("List<Long>", i, longs(), List.of(v, v + 1));
            write("List<String>", i, texts(), List.of("a" + v, ""));
            Windowed<String> tumbling = new Windowed<>("key-" + i % 7, new TimeWindow(i * 10_000L, i * 10_000L + 10_000));
            writeWindowed("TimeWindowed", i, new TimeWindowedSerializer<>(Serdes.String().serializer()), tumbling);
            Windowed<String> session = new Windowed<>("key-" + i % 7, new SessionWindow(i * 1_000L, i * 1_000L + 500));
            writeWindowed("SessionWindowed", i, new SessionWindowedSerializer<>(Serdes.String().serializer()), session);
        }
        producer.close();
    }

    @SuppressWarnings("unchecked")
    private static Serde<List<Long>> longs() {
        return (Serde<List<Long>>) (Serde<?>) Serdes.ListSerde(ArrayList.class, Serdes.Long());
    }

    @SuppressWarnings("unchecked")
    private static Serde<List<String>> texts() {
        return (Serde<List<String>>) (Serde<?>) Serdes.ListSerde(ArrayList.class, Serdes.String());
    }

    private <T> void write(String kind, int number, Serde<T> serde, T key) {
        send(kind, number, serde.serializer().serialize(topic, key), null);
    }

    private void writeWindowed(String kind, int number, WindowedSerializer<String> serializer, Windowed<String> key) {
        Integer place = new WindowedStreamPartitioner<String, byte[]>(serializer).partitions(topic, key, null, partitions)
            .orElseThrow().iterator().next();
        send(kind, number, serializer.serialize(topic, key), place);
    }

    private void send(String kind, int number, byte[] key, Integer place) {
        byte[] value = (kind + " " + number).getBytes(StandardCharsets.UTF_8);
        producer.send(new ProducerRecord<>(topic, place, key, value));
    }
}
