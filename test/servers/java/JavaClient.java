import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own clients, driven by a test: one JSON command a line on standard input, answers as JSON lines on standard
 * output, each with the id of its command. Bytes are base64. Commands run side by side; it ends with its input. Its one
 * argument is JSON too: the properties that all clients share, bootstrap.servers and security.
 */
public final class JavaClient {
  /** A record's value is one string here, in base64: larger than Jackson takes by default. */
  private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
      .streamReadConstraints(StreamReadConstraints.builder().maxStringLength(64 << 20).build())
      .build());
  private static final int DEADLINE_SECONDS = 60;

  private final Map<String, String> connection;
  private final PrintStream out;
  private final Admin admin;
  private KafkaProducer<byte[], byte[]> plainProducer;
  private int nextPartition = 0;

  private JavaClient(Map<String, String> connection, PrintStream out) {
    this.connection = connection;
    this.out = out;
    Properties config = base();
    config.put("default.api.timeout.ms", DEADLINE_SECONDS * 1000);
    config.put("request.timeout.ms", 10_000);
    this.admin = Admin.create(config);
  }

  public static void main(String[] args) throws IOException {
    PrintStream out = System.out;
    System.setOut(System.err); // whatever a library prints must not be taken for an answer
    Map<String, String> connection = JSON.readValue(args[0], new TypeReference<Map<String, String>>() {});
    JavaClient client = new JavaClient(connection, out);
    ExecutorService pool = Executors.newCachedThreadPool();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 16);
    for (String line; (line = in.readLine()) != null; ) {
      JsonNode command = JSON.readTree(line);
      pool.submit(() -> client.answer(command));
    }
    Runtime.getRuntime().halt(0);
  }

  private Properties base() {
    Properties config = new Properties();
    config.putAll(connection);
    config.put("reconnect.backoff.max.ms", 500);
    return config;
  }

  private void answer(JsonNode command) {
    ObjectNode reply = JSON.createObjectNode();
    try {
      reply.set("result", JSON.valueToTree(execute(command)));
    } catch (Throwable thrown) {
      Throwable error = thrown instanceof ExecutionException ? thrown.getCause() : thrown;
      reply.put("error", error.getClass().getSimpleName() + ": " + error.getMessage());
    }
    say(command, reply);
  }

  private void say(JsonNode command, ObjectNode reply) {
    reply.put("id", command.get("id").asInt());
    synchronized (out) {
      out.println(reply);
      out.flush();
    }
  }

  private Object execute(JsonNode command) throws Exception {
    String op = command.get("op").asText();
    switch (op) {
      case "nodes":
        return admin.describeCluster().nodes().get().size();
      case "createTopic":
        return createTopic(command);
      case "addPartitions": {
        String topic = topic(command);
        int total = command.get("total").asInt();
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(total))).all().get();
        return awaitUsable(topic, total);
      }
      case "deleteTopic":
        return deleteTopic(topic(command));
      case "alterTopic":
        return alterTopic(command);
      case "deleteRecords": {
        TopicPartition at = new TopicPartition(topic(command), command.get("partition").asInt());
        RecordsToDelete before = RecordsToDelete.beforeOffset(command.get("beforeOffset").asLong());
        return admin.deleteRecords(Map.of(at, before)).lowWatermarks().get(at).get().lowWatermark();
      }
      case "endOffsets":
        return offsets(topic(command), OffsetSpec.latest());
      case "startOffsets":
        return offsets(topic(command), OffsetSpec.earliest());
      case "committed":
        return committed(command);
      case "members":
        return members(command.get("group").asText());
      case "produce":
        return produce(command);
      case "fill":
        return fill(command);
      case "consume":
        return consume(command);
      default:
        throw new IllegalArgumentException("no such command: " + op);
    }
  }

  private static String topic(JsonNode command) {
    return command.get("topic").asText();
  }

  private Map<String, String> config(JsonNode command) {
    return JSON.convertValue(command.get("config"), new TypeReference<Map<String, String>>() {});
  }

  private Object createTopic(JsonNode command) throws Exception {
    String topic = topic(command);
    int partitions = command.get("partitions").asInt();
    NewTopic made = new NewTopic(topic, partitions, (short) command.get("replication").asInt());
    admin.createTopics(List.of(made.configs(config(command)))).all().get();
    return awaitUsable(topic, partitions);
  }

  private Object alterTopic(JsonNode command) throws Exception {
    List<AlterConfigOp> changes = new ArrayList<>();
    config(command).forEach((key, value) ->
        changes.add(new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)));
    ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic(command));
    admin.incrementalAlterConfigs(Map.of(resource, changes)).all().get();
    return true;
  }

  /** Every partition has its leader and all its replicas in sync, and the leader answers for it. */
  private boolean awaitUsable(String topic, int partitions) throws Exception {
    for (long end = deadline(); ; Thread.sleep(20)) {
      try {
        TopicDescription seen = admin.describeTopics(Set.of(topic)).allTopicNames().get().get(topic);
        boolean complete = seen.partitions().size() == partitions;
        for (TopicPartitionInfo p : seen.partitions()) {
          complete &= p.leader() != null && p.isr().size() == p.replicas().size();
        }
        if (complete) {
          offsets(topic, OffsetSpec.latest());
          return true;
        }
      } catch (ExecutionException notYet) {
        if (System.nanoTime() > end) throw notYet;
      }
      if (System.nanoTime() > end) throw new IllegalStateException("topic " + topic + " did not become usable");
    }
  }

  private boolean deleteTopic(String topic) throws Exception {
    admin.deleteTopics(Set.of(topic)).all().get();
    for (long end = deadline(); ; Thread.sleep(20)) {
      try {
        admin.describeTopics(Set.of(topic)).allTopicNames().get();
      } catch (ExecutionException gone) {
        if (gone.getCause() instanceof UnknownTopicOrPartitionException) return true;
        throw gone;
      }
      if (System.nanoTime() > end) throw new IllegalStateException("topic " + topic + " is still there");
    }
  }

  private static long deadline() {
    return System.nanoTime() + DEADLINE_SECONDS * 1_000_000_000L;
  }

  private Map<Integer, Long> offsets(String topic, OffsetSpec which) throws Exception {
    TopicDescription seen = admin.describeTopics(Set.of(topic)).allTopicNames().get().get(topic);
    Map<TopicPartition, OffsetSpec> asked = new java.util.HashMap<>();
    for (TopicPartitionInfo p : seen.partitions()) asked.put(new TopicPartition(topic, p.partition()), which);
    Map<Integer, Long> found = new TreeMap<>();
    admin.listOffsets(asked).all().get().forEach((at, info) -> found.put(at.partition(), info.offset()));
    return found;
  }

  private Object committed(JsonNode command) throws Exception {
    ObjectNode found = JSON.createObjectNode();
    Map<TopicPartition, OffsetAndMetadata> commits =
        admin.listConsumerGroupOffsets(command.get("group").asText()).partitionsToOffsetAndMetadata().get();
    commits.forEach((at, commit) -> {
      if (commit == null || !at.topic().equals(topic(command))) return;
      ObjectNode entry = found.putObject(String.valueOf(at.partition()));
      entry.put("offset", commit.offset()).put("metadata", commit.metadata());
    });
    return found;
  }

  private Object members(String group) throws Exception {
    ArrayNode found = JSON.createArrayNode();
    for (MemberDescription member : admin.describeConsumerGroups(Set.of(group)).all().get().get(group).members()) {
      ObjectNode entry = found.addObject().put("memberId", member.consumerId()).put("clientId", member.clientId());
      entry.put("instanceId", member.groupInstanceId().orElse(null));
    }
    return found;
  }

  private KafkaProducer<byte[], byte[]> producer(Map<String, String> more) {
    Properties config = base();
    config.put("acks", "all");
    config.put("linger.ms", 5);
    config.put("batch.size", 256 << 10);
    config.put("max.request.size", 64 << 20);
    config.put("buffer.memory", 128L << 20);
    config.put("max.block.ms", DEADLINE_SECONDS * 1000);
    config.putAll(more);
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }

  private synchronized KafkaProducer<byte[], byte[]> plainProducer() {
    if (plainProducer == null) plainProducer = producer(Map.of());
    return plainProducer;
  }

  /** With `codec` or `transaction` ("commit" or "abort") through a producer of its own, so that batches are as asked. */
  private Object produce(JsonNode command) throws Exception {
    String transaction = command.path("transaction").asText("none");
    boolean transactional = !transaction.equals("none");
    String codec = command.path("codec").asText("none");
    if (!transactional && codec.equals("none")) {
      return sendAll(plainProducer(), command);
    }
    Map<String, String> more = new java.util.HashMap<>(Map.of("compression.type", codec));
    if (transactional) more.put("transactional.id", UUID.randomUUID().toString());
    try (KafkaProducer<byte[], byte[]> producer = producer(more)) {
      if (!transactional) return sendAll(producer, command);
      producer.initTransactions();
      producer.beginTransaction();
      Object sent = sendAll(producer, command);
      if (transaction.equals("abort")) producer.abortTransaction();
      else producer.commitTransaction();
      return sent;
    }
  }

  private Object sendAll(KafkaProducer<byte[], byte[]> producer, JsonNode command) throws Exception {
    String topic = topic(command);
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode record : command.get("records")) {
      byte[] key = bytes(record.get("key"));
      Integer partition = record.hasNonNull("partition") ? (Integer) record.get("partition").asInt() : null;
      if (partition == null && key == null) {
        // Kafka's own choice fills one partition before it goes on to the next; tests want them spread.
        partition = Math.floorMod(nextPartition++, producer.partitionsFor(topic).size());
      }
      Long timestamp = record.hasNonNull("timestamp") ? (Long) record.get("timestamp").asLong() : null;
      ProducerRecord<byte[], byte[]> made =
          new ProducerRecord<>(topic, partition, timestamp, key, bytes(record.get("value")));
      for (JsonNode header : record.path("headers")) made.headers().add(header.get(0).asText(), bytes(header.get(1)));
      sent.add(producer.send(made));
    }
    producer.flush();
    ArrayNode places = JSON.createArrayNode();
    for (Future<RecordMetadata> one : sent) {
      RecordMetadata at = one.get();
      places.addArray().add(at.partition()).add(at.offset());
    }
    return places;
  }

  /** Many records of one size, made here rather than sent through the pipe. Their values begin with their number. */
  private Object fill(JsonNode command) throws Exception {
    KafkaProducer<byte[], byte[]> producer = plainProducer();
    String topic = topic(command);
    int count = command.get("count").asInt();
    int size = command.get("valueBytes").asInt();
    int partitions = producer.partitionsFor(topic).size();
    List<Future<RecordMetadata>> sent = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      byte[] number = (i + " ").getBytes(StandardCharsets.US_ASCII);
      byte[] value = Arrays.copyOf(number, Math.max(size, number.length));
      Arrays.fill(value, number.length, value.length, (byte) 'x');
      sent.add(producer.send(new ProducerRecord<>(topic, i % partitions, null, value)));
    }
    producer.flush();
    for (Future<RecordMetadata> one : sent) one.get();
    return count;
  }

  /** Everything that is in the topic now, in pieces that are answered as they come; the result is their count. */
  private Object consume(JsonNode command) throws Exception {
    Properties config = base();
    config.put("isolation.level", command.path("isolation").asText("read_committed"));
    config.put("enable.auto.commit", false);
    config.put("auto.offset.reset", "earliest");
    config.put("max.poll.records", 2_000);
    config.put("fetch.max.bytes", 32 << 20);
    config.put("max.partition.fetch.bytes", 8 << 20);
    config.put("default.api.timeout.ms", DEADLINE_SECONDS * 1000);
    int count = 0;
    try (KafkaConsumer<byte[], byte[]> consumer =
        new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> all = new ArrayList<>();
      consumer.partitionsFor(topic(command)).forEach(p -> all.add(new TopicPartition(p.topic(), p.partition())));
      consumer.assign(all);
      consumer.seekToBeginning(all);
      Map<TopicPartition, Long> ends = consumer.endOffsets(all);
      for (long end = deadline(); ; ) {
        boolean done = true;
        for (TopicPartition at : all) done &= consumer.position(at) >= ends.get(at);
        if (done) return count;
        if (System.nanoTime() > end) throw new IllegalStateException("not read to its end in time");
        ObjectNode piece = JSON.createObjectNode();
        ArrayNode records = piece.putArray("records");
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
          if (record.offset() >= ends.get(new TopicPartition(record.topic(), record.partition()))) continue;
          records.add(json(record));
          count++;
        }
        if (records.size() > 0) {
          say(command, piece);
          end = deadline();
        }
      }
    }
  }

  private static ObjectNode json(ConsumerRecord<byte[], byte[]> record) {
    ObjectNode made = JSON.createObjectNode();
    made.put("partition", record.partition()).put("offset", record.offset()).put("timestamp", record.timestamp());
    made.put("key", record.key()).put("value", record.value());
    ArrayNode headers = made.putArray("headers");
    for (Header header : record.headers()) headers.addArray().add(header.key()).add(header.value());
    return made;
  }

  private static byte[] bytes(JsonNode base64) throws IOException {
    return base64 == null || base64.isNull() ? null : base64.binaryValue();
  }
}
