import java.io.IOException;
import java.math.BigDecimal;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Collectors;

/** Walks over one row of examples/accounts/lockstep.json and prints a line for each step: java Walk.java URL TOKEN */
class Walk {
    public static void main(String[] args) throws Exception {
        var lockstep = new LockstepClient(args[0], args[1]);
        var account = new LockstepClient.Key("account", System.currentTimeMillis());

        var put = lockstep.put(account, Map.of("owner", "Ada", "balance", 10));
        print("put: %s, version %s, cache %s", put.get("outcome"), put.get("version"), put.get("cache"));

        var patched = lockstep.patch(account, increment(5));
        print("patch: version %s, balance %s", patched.get("version"), patched.row().get("balance"));

        var read = lockstep.get(account);
        print("read: version %s, balance %s, etag %s", read.get("version"), read.row().get("balance"), read.etag());

        try {
            lockstep.write("PATCH", account, Map.of("owner", "Bea"), "\"1\"", null);
        } catch (LockstepException refused) {
            print("If-Match \"1\": %s, %s, etag %s", refused.code, refused.outcome, refused.problem.get("etag"));
        }

        var key = "walk-" + account.key();
        var first = lockstep.write("PATCH", account, increment(-5), null, key);
        var second = lockstep.write("PATCH", account, increment(-5), null, key);
        var balance = lockstep.get(account).row().get("balance");
        print("the same write twice: versions %s and %s, balance %s", first.get("version"), second.get("version"), balance);

        print("invalidation: cache %s", lockstep.invalidate(account).get(0).get("cache"));
        var again = lockstep.get(account);
        print("read: version %s from %s", again.get("version"), again.get("source"));

        try {
            lockstep.guard(List.of(account), Duration.ofSeconds(10), held -> {
                print("guard: held at version %s", held.get(0).get("version"));
                throw new Changed();
            });
        } catch (Changed changed) {
            print("guard: rolled back");
        }

        print("delete: version %s", lockstep.delete(account).get("version"));
        if (lockstep.get(account) == null) print("read: no such row");
    }

    /** The work under the guard has thought better of it. */
    static class Changed extends Exception {}

    static Map<String, ?> increment(int by) {
        return Map.of("$inc", Map.of("balance", by));
    }

    static void print(String line, Object... values) {
        System.out.println(line.formatted(values));
    }
}

/**
 * A client of Lockstep over HTTP, with nothing but the JDK: reads, writes that are repeated safely, and guards for
 * transactions of your own. Threads may share one. Numbers of answers are BigDecimals; decimals and whole numbers beyond
 * 2^53 are text in rows, as docs/types.md says.
 */
class LockstepClient {
    /** A row's name. The key is a text, a number, or a list with the parts of a composite key. */
    record Key(String resource, Object key) {
        /** Parts are percent-encoded each, and joined by a bare comma. */
        String path() {
            var parts = key instanceof List<?> list ? list : List.of(key);
            return "/v1/resources/" + resource + "/" + parts.stream().map(Key::encoded).collect(Collectors.joining(","));
        }

        static String encoded(Object part) {
            return URLEncoder.encode(part.toString(), StandardCharsets.UTF_8).replace("+", "%20");
        }
    }

    /** An answer's fields, and the row's entity tag. */
    record Answer(Map<String, Object> fields, String etag) {
        Object get(String field) {
            return fields.get(field);
        }

        Map<String, Object> row() {
            return Json.object(fields.get("value"));
        }
    }

    /** A transaction of the caller's own, with what the coordinator says of each guarded key: `fence`, `key`, `version`. */
    interface Work {
        void run(List<Map<String, Object>> held) throws Exception;
    }

    private static final int ATTEMPTS = 8;
    private final HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final String url;
    private final String token;

    LockstepClient(String url, String token) {
        this.url = url;
        this.token = token;
    }

    /** The row, or null where there is no such row. */
    Answer get(Key key) throws InterruptedException {
        try {
            return call("GET", key.path(), null, Map.of(), true);
        } catch (LockstepException failed) {
            if (failed.code.equals("NOT_FOUND")) return null;
            throw failed;
        }
    }

    Answer put(Key key, Map<String, ?> row) throws InterruptedException {
        return write("PUT", key, row, null, null);
    }

    /** @param changes new values of columns, or `$inc` with what to add to them */
    Answer patch(Key key, Map<String, ?> changes) throws InterruptedException {
        return write("PATCH", key, changes, null, null);
    }

    Answer delete(Key key) throws InterruptedException {
        return write("DELETE", key, null, null, null);
    }

    /**
     * One write, applied once however often it is sent. If it fails with the outcome unknown, send it again with the
     * `idempotencyKey` of the exception.
     *
     * @param ifMatch the entity tag that the row must have, or null
     * @param idempotencyKey null: a new one
     */
    Answer write(String method, Key key, Map<String, ?> body, String ifMatch, String idempotencyKey)
            throws InterruptedException {
        var headers = new LinkedHashMap<String, String>();
        headers.put("Idempotency-Key", idempotencyKey == null ? UUID.randomUUID().toString() : idempotencyKey);
        if (ifMatch != null) headers.put("If-Match", ifMatch);
        try {
            return call(method, key.path(), body, headers, true);
        } catch (LockstepException failed) {
            failed.idempotencyKey = headers.get("Idempotency-Key");
            // An attempt that was not answered may still arrive, whatever the last one was answered.
            if (failed.wasUnknown) failed.becomeUnknown();
            throw failed;
        }
    }

    /** Tells that the caller has changed rows itself. */
    List<Map<String, Object>> invalidate(Key... keys) throws InterruptedException {
        var answer = call("POST", "/v1/invalidations", Map.of("keys", named(List.of(keys))), Map.of(), true);
        return Json.objects(answer.get("results"));
    }

    /**
     * Holds rows of strict resources while the work runs a transaction that calls `lockstep_guard`. The work must return
     * after the commit; if it throws, its transaction must have been rolled back.
     */
    void guard(List<Key> keys, Duration ttl, Work work) throws Exception {
        var asked = Map.of("keys", named(keys), "ttl", ttl.toMillis());
        // Asked for twice, the first grant would stand in the way of the second: it is not repeated once it was sent.
        var taken = call("POST", "/v1/guards", asked, Map.of(), false);
        try {
            work.run(Json.objects(taken.get("keys")));
        } catch (Exception cause) {
            var untold = tell(taken, "rollback");
            var hasCommitted = untold != null && untold.code.equals("GUARD_LOST") && untold.outcome.equals("applied");
            if (hasCommitted) untold.addSuppressed(cause);
            throw hasCommitted ? untold : cause;
        }
        var untold = tell(taken, "commit");
        if (untold == null || untold.outcome.equals("applied")) return;
        if (List.of("GUARD_LOST", "UNKNOWN_GUARD").contains(untold.code)) throw untold;
        // What cannot be told now has committed all the same: its rows stay hidden until the coordinators know.
    }

    /** Tells what became of a guard's transaction; answers why that failed, or null. */
    private LockstepException tell(Answer guard, String what) throws InterruptedException {
        try {
            call("POST", "/v1/guards/" + Key.encoded(guard.get("id")) + "/" + what, null, Map.of(), true);
            return null;
        } catch (LockstepException failed) {
            var isTold = failed.code.equals("UNKNOWN_GUARD") && failed.attempts > 1; // its answer was lost
            return isTold ? null : failed;
        }
    }

    /** The answer to a call, over all its attempts. */
    private Answer call(String method, String path, Object body, Map<String, String> headers, boolean isRepeatable)
            throws InterruptedException {
        var wasUnknown = false;
        for (var attempt = 1; ; attempt++) {
            try {
                return send(method, path, body, headers);
            } catch (LockstepException failed) {
                wasUnknown |= failed.wasUnknown;
                if (attempt == ATTEMPTS || !failed.retryable || (wasUnknown && !isRepeatable)) {
                    failed.attempts = attempt;
                    failed.wasUnknown = wasUnknown;
                    throw failed;
                }
                Thread.sleep(Math.max(failed.retryAfterMs, ThreadLocalRandom.current().nextLong(20L << attempt)));
            }
        }
    }

    /** One attempt. */
    private Answer send(String method, String path, Object body, Map<String, String> headers)
            throws InterruptedException {
        var sent = body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(Json.text(body));
        var request = HttpRequest.newBuilder(URI.create(url + path)).method(method, sent).timeout(Duration.ofSeconds(30))
                .header("Authorization", "Bearer " + token).header("Content-Type", "application/json");
        headers.forEach(request::header);
        HttpResponse<String> reply;
        try {
            reply = http.send(request.build(), BodyHandlers.ofString());
        } catch (IOException fault) {
            throw LockstepException.noAnswer(fault.toString(), true);
        }
        if (reply.statusCode() >= 300) throw LockstepException.in(reply);
        var fields = reply.body().isEmpty() ? Map.<String, Object>of() : Json.object(Json.parse(reply.body()));
        return new Answer(fields, reply.headers().firstValue("ETag").orElse(null));
    }

    private static List<Map<String, Object>> named(List<Key> keys) {
        return keys.stream().map(each -> Map.of("resource", each.resource(), "key", each.key())).toList();
    }
}

/** A call failed. Branch on `code`. `outcome` says what became of a write: not_applied, unknown or applied. */
class LockstepException extends RuntimeException {
    String code;
    String outcome;
    final boolean retryable;
    final Map<String, Object> problem;
    String idempotencyKey; // repeat an unknown write with it
    long retryAfterMs;
    int attempts;
    boolean wasUnknown; // of any attempt

    private LockstepException(Map<String, Object> problem) {
        super("%s (%s): %s".formatted(problem.get("code"), problem.get("outcome"), problem.get("detail")));
        this.problem = problem;
        code = (String) problem.get("code");
        outcome = (String) problem.get("outcome");
        retryable = problem.get("retryable") == Boolean.TRUE;
        wasUnknown = outcome.equals("unknown");
    }

    static LockstepException noAnswer(String detail, boolean isRetryable) {
        return new LockstepException(
                Map.of("code", "NO_ANSWER", "outcome", "unknown", "retryable", isRetryable, "detail", detail));
    }

    /** What a refusal says. What is not Lockstep's (a proxy's page) says nothing about the write. */
    static LockstepException in(HttpResponse<String> refused) {
        var type = refused.headers().firstValue("Content-Type").orElse("");
        if (!type.startsWith("application/problem+json"))
            return noAnswer("status " + refused.statusCode(), refused.statusCode() >= 500);
        var failed = new LockstepException(Json.object(Json.parse(refused.body())));
        failed.retryAfterMs = 1000 * refused.headers().firstValueAsLong("Retry-After").orElse(0);
        return failed;
    }

    void becomeUnknown() {
        code = "OUTCOME_UNKNOWN";
        outcome = "unknown";
    }
}

/** JSON as maps, lists, texts, BigDecimals, booleans and null. The JDK has no reader of it: use the one that you have. */
class Json {
    private final String text;
    private int at = 0;

    private Json(String text) {
        this.text = text;
    }

    static Object parse(String text) {
        return new Json(text).value();
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        return (Map<String, Object>) value;
    }

    @SuppressWarnings("unchecked")
    static List<Map<String, Object>> objects(Object value) {
        return (List<Map<String, Object>>) value;
    }

    static String text(Object value) {
        if (value instanceof Map<?, ?> map)
            return map.entrySet().stream().map(each -> text(each.getKey()) + ":" + text(each.getValue()))
                    .collect(Collectors.joining(",", "{", "}"));
        if (value instanceof List<?> list)
            return list.stream().map(Json::text).collect(Collectors.joining(",", "[", "]"));
        return value instanceof String string ? quoted(string) : String.valueOf(value);
    }

    private static String quoted(String string) {
        var quoted = new StringBuilder("\"");
        for (var character : string.toCharArray()) {
            if (character < ' ' || character == '"' || character == '\\')
                quoted.append("\\u%04x".formatted((int) character));
            else quoted.append(character);
        }
        return quoted.append('"').toString();
    }

    private Object value() {
        var next = next();
        if (next == '{') return members();
        if (next == '[') return elements();
        if (next == '"') return string();
        var start = at;
        while (at < text.length() && "{}[],: \n\r\t".indexOf(text.charAt(at)) < 0) at++;
        var word = text.substring(start, at);
        return switch (word) {
            case "null" -> null;
            case "true", "false" -> Boolean.valueOf(word);
            default -> new BigDecimal(word);
        };
    }

    private Map<String, Object> members() {
        var members = new LinkedHashMap<String, Object>();
        for (at++; next() != '}'; skip(',')) {
            var name = string();
            skip(':');
            members.put(name, value());
        }
        at++;
        return members;
    }

    private List<Object> elements() {
        var elements = new ArrayList<Object>();
        for (at++; next() != ']'; skip(',')) elements.add(value());
        at++;
        return elements;
    }

    private String string() {
        var string = new StringBuilder();
        for (at++; text.charAt(at) != '"'; at++) {
            if (text.charAt(at) != '\\') string.append(text.charAt(at));
            else string.append(escaped());
        }
        at++;
        return string.toString();
    }

    /** The character behind a backslash; stops at the last one that it has read. */
    private char escaped() {
        var escape = text.charAt(++at);
        if (escape == 'u') {
            at += 4;
            return (char) Integer.parseInt(text.substring(at - 3, at + 1), 16);
        }
        var known = "bfnrt".indexOf(escape);
        return known < 0 ? escape : "\b\f\n\r\t".charAt(known);
    }

    private char next() {
        while (Character.isWhitespace(text.charAt(at))) at++;
        return text.charAt(at);
    }

    private void skip(char expected) {
        if (next() == expected) at++;
    }
}
