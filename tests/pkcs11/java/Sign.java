import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.Security;
import java.security.Signature;
import java.security.spec.AlgorithmParameterSpec;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PSSParameterSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Signs the files {@code message} and {@code digest} with the keys that keytool made, in 16 threads: each with every
 * algorithm, into {@code ALGORITHM-THREAD.sig}. Arguments: the provider's configuration, the aliases of an EC and of an
 * RSA key. The environment has the PIN. Who verifies is another program.
 */
final class Sign {
    private static final int THREADS = 16;
    private static final PSSParameterSpec PSS =
        new PSSParameterSpec("SHA-256", "MGF1", MGF1ParameterSpec.SHA256, 32, PSSParameterSpec.TRAILER_FIELD_BC);

    /** What is signed, how, and with which key. */
    private record Way(String algorithm, AlgorithmParameterSpec parameters, PrivateKey key, byte[] input) {
        byte[] sign(Provider provider) throws Exception {
            Signature signature = Signature.getInstance(algorithm, provider);
            signature.initSign(key);
            if (parameters != null) {
                signature.setParameter(parameters);
            }
            signature.update(input);
            return signature.sign();
        }
    }

    public static void main(String[] arguments) throws Exception {
        Provider provider = Security.getProvider("SunPKCS11").configure(arguments[0]);
        KeyStore store = KeyStore.getInstance("PKCS11", provider);
        store.load(null, System.getenv("PIN").toCharArray());
        PrivateKey ec = (PrivateKey) store.getKey(arguments[1], null);
        PrivateKey rsa = (PrivateKey) store.getKey(arguments[2], null);
        byte[] message = Files.readAllBytes(Path.of("message"));
        byte[] digest = Files.readAllBytes(Path.of("digest"));
        List<Way> ways = List.of(
            new Way("SHA256withECDSA", null, ec, message),
            new Way("NONEwithECDSA", null, ec, digest),
            new Way("SHA256withRSA", null, rsa, message),
            new Way("RSASSA-PSS", PSS, rsa, message));

        List<Callable<Void>> work = new ArrayList<>();
        for (int thread = 0; thread < THREADS; thread++) {
            String name = "-" + thread + ".sig";
            work.add(() -> {
                for (Way way : ways) {
                    Files.write(Path.of(way.algorithm() + name), way.sign(provider));
                }
                return null;
            });
        }
        var threads = Executors.newFixedThreadPool(THREADS);
        List<Future<Void>> done = threads.invokeAll(work);
        threads.shutdown();
        for (Future<Void> each : done) {
            each.get();
        }
    }
}
