// SPDX-License-Identifier: Apache-2.0

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;

/**
 * Reads the reports of Surefire, of JUnit's console launcher and of the model's check, names every failed and every skipped test with its reason,
 * and ends with one line that counts them all. Fails where a test failed, where none ran, or where the lab should have
 * run and left no report.
 *
 * <p>Arguments: 1 where Maven should have run or else 0, the same for the lab, and the repository's folder. What should
 * not have run is not read: its reports are of another time.
 */
public final class TestSummary {
    private static final String SUREFIRE = "target/surefire-reports";
    private static final String LAUNCHER = "target/launcher-reports";
    private static final String MODEL = "target/model-reports";
    private static final List<String> LAB = List.of("target/lab-reports/processes", "target/lab-reports/inside");

    private int passed;
    private int failed;
    private int skipped;

    /** Runs the program. */
    public static void main(String[] args) throws Exception {
        boolean mavenExpected = args[0].equals("1");
        boolean labExpected = args[1].equals("1");
        Path root = Path.of(args[2]);
        TestSummary all = new TestSummary();
        TestSummary lab = new TestSummary();
        boolean labMissing = false;
        try (Stream<Path> modules = Files.list(root)) {
            for (Path module : modules.filter(Files::isDirectory).sorted().toList()) {
                if (mavenExpected) {
                    all.read(module.resolve(SUREFIRE));
                    all.read(module.resolve(LAUNCHER));
                    all.read(module.resolve(MODEL));
                }
            }
        }
        if (labExpected) {
            for (String part : LAB) {
                int before = lab.passed;
                lab.read(root.resolve("it").resolve(part));
                if (lab.passed == before) {
                    labMissing = true;
                    System.out.println("FAILED  the lab left no report in it/" + part);
                }
            }
        }
        if (mavenExpected) {
            all.print("outside the lab");
        }
        lab.print("inside the lab");
        all.passed += lab.passed;
        all.failed += lab.failed + (labMissing ? 1 : 0);
        all.skipped += lab.skipped;
        System.out.printf("%d passed, %d failed, %d skipped%n", all.passed, all.failed, all.skipped);
        System.exit(all.failed > 0 || all.passed == 0 ? 1 : 0);
    }

    private void print(String where) {
        System.out.printf("%s: %d passed, %d failed, %d skipped%n", where, passed, failed, skipped);
    }

    private void read(Path reports) throws Exception {
        if (!Files.isDirectory(reports)) {
            return;
        }
        for (Path report : xmlFiles(reports)) {
            NodeList cases = DocumentBuilderFactory.newInstance()
                    .newDocumentBuilder()
                    .parse(report.toFile())
                    .getElementsByTagName("testcase");
            for (int i = 0; i < cases.getLength(); i++) {
                count((Element) cases.item(i));
            }
        }
    }

    private static List<Path> xmlFiles(Path reports) throws IOException {
        try (Stream<Path> files = Files.list(reports)) {
            return files.filter(file -> file.getFileName().toString().matches("TEST-.*\\.xml"))
                    .sorted()
                    .toList();
        }
    }

    private void count(Element test) {
        String name = test.getAttribute("classname") + "." + test.getAttribute("name");
        for (Node child = test.getFirstChild(); child != null; child = child.getNextSibling()) {
            switch (child.getNodeName()) {
                case "failure", "error" -> {
                    failed++;
                    System.out.println("FAILED  " + name + ": " + reason((Element) child));
                    return;
                }
                case "skipped" -> {
                    skipped++;
                    System.out.println("skipped " + name + ": " + reason((Element) child));
                    return;
                }
                default -> {}
            }
        }
        passed++;
    }

    private static String reason(Element result) {
        String message = result.getAttribute("message");
        String text = message.isBlank() ? result.getTextContent() : message;
        return text.strip().lines().findFirst().orElse("no reason given");
    }
}
