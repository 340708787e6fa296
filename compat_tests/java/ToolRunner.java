// Runs Kafka's command-line tools one after the other in one JVM, as a JVM of its own costs each a
// second. A question is a JSON line {"main", "arguments"}; its answer {"result": {"status", "out",
// "err"}} (compat_tests/serving.py's ServingProgram asks).

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.utils.Exit;

public class ToolRunner {
    /** What a tool throws instead of ending the JVM; some catch it, and end once more. */
    private static class Ended extends Error {
        Ended(int status) {
            super("exit " + status, null, false, false);
            if (firstStatus == null) {
                firstStatus = status;
            }
        }
    }

    /** Tools and loggers keep System.out as they find it; what is behind it changes. */
    private static class Gathering extends OutputStream {
        private ByteArrayOutputStream gathered = new ByteArrayOutputStream();

        @Override
        public synchronized void write(int octet) {
            gathered.write(octet);
        }

        @Override
        public synchronized void write(byte[] data, int from, int count) {
            gathered.write(data, from, count);
        }

        synchronized String taken() {
            String text = gathered.toString(StandardCharsets.UTF_8);
            gathered = new ByteArrayOutputStream();
            return text;
        }
    }

    private static final Gathering OUT = new Gathering();
    private static final Gathering ERR = new Gathering();
    private static Integer firstStatus;

    public static void main(String[] none) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        InputStream input = System.in;
        System.setIn(InputStream.nullInputStream());
        System.setOut(new PrintStream(OUT, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(ERR, true, StandardCharsets.UTF_8));
        Exit.setExitProcedure((status, message) -> {
            if (message != null) {
                System.err.println(message);
            }
            throw new Ended(status);
        });
        Exit.setHaltProcedure((status, message) -> {
            throw new Ended(status);
        });
        ObjectMapper json = new ObjectMapper();
        BufferedReader questions =
                new BufferedReader(new InputStreamReader(input, StandardCharsets.UTF_8));
        for (String line; (line = questions.readLine()) != null; ) {
            JsonNode question = json.readTree(line);
            int status = run(question);
            answers.println(json.writeValueAsString(Map.of(
                    "result", Map.of("status", status, "out", OUT.taken(), "err", ERR.taken()))));
        }
    }

    private static int run(JsonNode question) {
        List<String> arguments = new ArrayList<>();
        question.get("arguments").forEach(argument -> arguments.add(argument.asText()));
        firstStatus = null;
        try {
            Class<?> tool = Class.forName(question.get("main").asText());
            tool.getMethod("main", String[].class)
                    .invoke(null, (Object) arguments.toArray(new String[0]));
        } catch (ReflectiveOperationException failure) {
            if (firstStatus == null) {
                failure.printStackTrace();
                return 1;
            }
        }
        return firstStatus == null ? 0 : firstStatus;
    }
}
