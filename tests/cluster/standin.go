package main

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

const (
	nodeName    = "node-1"
	provisioner = "disk.test.leeboard.dev"
	workers     = 8

	// On a Service or an Ingress: the address that the load balancer gives it; without one it waits for ever.
	addressWord = "test.leeboard.dev/load-balancer"
)

// standIn does what a cluster of one node does beyond the control plane: scheduler and kubelet
// (pod.go), the provisioner of volumes and the load balancer of a cloud.
type standIn struct {
	client kubernetes.Interface
	queue  workqueue.TypedRateLimitingInterface[item]
	kinds  map[string]func(context.Context, string) error
	cancel context.CancelFunc
	all    sync.WaitGroup
}

type item struct{ kind, key string }

func startStandIn(config *rest.Config) (*standIn, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &standIn{
		client: client,
		cancel: cancel,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[item](5*time.Millisecond, time.Second)),
	}
	if err := s.makeWorld(ctx); err != nil {
		cancel()
		return nil, err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	claims := factory.Core().V1().PersistentVolumeClaims()
	volumes := factory.Core().V1().PersistentVolumes()
	services := factory.Core().V1().Services()
	ingresses := factory.Networking().V1().Ingresses()
	s.kinds = map[string]func(context.Context, string) error{
		"pod":     handle(pods.Informer(), s.pod),
		"claim":   handle(claims.Informer(), s.claim),
		"volume":  handle(volumes.Informer(), s.volume),
		"service": handle(services.Informer(), s.service),
		"ingress": handle(ingresses.Informer(), s.ingress),
	}
	for kind, informer := range map[string]cache.SharedIndexInformer{
		"pod": pods.Informer(), "claim": claims.Informer(), "volume": volumes.Informer(),
		"service": services.Informer(), "ingress": ingresses.Informer(),
	} {
		add := func(o any) {
			if key, err := cache.MetaNamespaceKeyFunc(o); err == nil {
				s.queue.Add(item{kind, key})
			}
		}
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: add, UpdateFunc: func(_, o any) { add(o) },
		}); err != nil {
			cancel()
			return nil, err
		}
	}
	factory.Start(ctx.Done())
	for range workers {
		s.all.Go(func() { s.work(ctx) })
	}
	s.all.Go(func() {
		<-ctx.Done()
		s.queue.ShutDown()
		factory.Shutdown()
	})
	return s, nil
}

func (s *standIn) stop() {
	s.cancel()
	s.all.Wait()
}

// handle looks an object up in what its informer holds; one that is gone needs nothing.
func handle[T any](informer cache.SharedIndexInformer, do func(context.Context, T) error) func(context.Context, string) error {
	return func(ctx context.Context, key string) error {
		object, exists, err := informer.GetStore().GetByKey(key)
		if err != nil || !exists {
			return err
		}
		return do(ctx, object.(T))
	}
}

func (s *standIn) work(ctx context.Context) {
	for {
		i, end := s.queue.Get()
		if end {
			return
		}
		err := s.kinds[i.kind](ctx, i.key)
		switch {
		case err == nil || errors.IsNotFound(err):
			s.queue.Forget(i)
		case ctx.Err() == nil:
			if !errors.IsConflict(err) {
				log.Printf("stand-in: %s %s: %v", i.kind, i.key, err)
			}
			s.queue.AddRateLimited(i)
		}
		s.queue.Done(i)
	}
}

// makeWorld leaves the one node and the default storage class.
func (s *standIn) makeWorld(ctx context.Context) error {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName, Labels: nodeLabels},
	}
	made, err := s.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err == nil {
		room := corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"),
			corev1.ResourcePods: resource.MustParse("20000"),
		}
		now := metav1.Now()
		made.Status = corev1.NodeStatus{
			Capacity: room, Allocatable: room,
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady",
				LastHeartbeatTime: now, LastTransitionTime: now,
			}},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: nodeAddress}},
		}
		_, err = s.client.CoreV1().Nodes().UpdateStatus(ctx, made, metav1.UpdateOptions{})
	}
	if err != nil && !errors.IsAlreadyExists(err) {
		return fmt.Errorf("node %s: %w", nodeName, err)
	}
	now, gone := storagev1.VolumeBindingImmediate, corev1.PersistentVolumeReclaimDelete
	_, err = s.client.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "standard",
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner: provisioner, VolumeBindingMode: &now, ReclaimPolicy: &gone,
	}, metav1.CreateOptions{})
	if err != nil && !errors.IsAlreadyExists(err) {
		return fmt.Errorf("storage class: %w", err)
	}
	return nil
}

// awaitControllers returns once the controllers act: one of them gives the namespace 'default' its
// service account, which needs that namespace to be there too.
func (s *standIn) awaitControllers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	accounts := s.client.CoreV1().ServiceAccounts(metav1.NamespaceDefault)
	list := cache.NewListWatchFromClient(s.client.CoreV1().RESTClient(), "serviceaccounts", metav1.NamespaceDefault,
		fields.OneTermEqualSelector("metadata.name", "default"))
	seen := make(chan struct{})
	var once sync.Once
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: list, ObjectType: &corev1.ServiceAccount{},
		Handler: cache.ResourceEventHandlerFuncs{AddFunc: func(any) { once.Do(func() { close(seen) }) }},
	})
	go informer.Run(ctx.Done())
	select {
	case <-seen:
		return nil
	case <-ctx.Done():
		_, err := accounts.Get(context.Background(), "default", metav1.GetOptions{})
		return fmt.Errorf("the controllers did not act in %s: %v", readyLimit, err)
	}
}

// claim makes the volume that a claim asks for, once the binder has left the choice to us.
func (s *standIn) claim(ctx context.Context, c *corev1.PersistentVolumeClaim) error {
	if c.Annotations["volume.kubernetes.io/storage-provisioner"] != provisioner || c.Spec.VolumeName != "" ||
		c.DeletionTimestamp != nil || c.Annotations[podWord] == modePending {
		return nil
	}
	_, err := s.client.CoreV1().PersistentVolumes().Create(ctx, &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "pvc-" + string(c.UID),
			Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": provisioner},
		},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName:              *c.Spec.StorageClassName,
			AccessModes:                   c.Spec.AccessModes,
			VolumeMode:                    c.Spec.VolumeMode,
			Capacity:                      c.Spec.Resources.Requests,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				CSI: &corev1.CSIPersistentVolumeSource{Driver: provisioner, VolumeHandle: string(c.UID)},
			},
			ClaimRef: &corev1.ObjectReference{Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: c.Namespace, Name: c.Name, UID: c.UID},
		},
	}, metav1.CreateOptions{})
	if errors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (s *standIn) volume(ctx context.Context, v *corev1.PersistentVolume) error {
	if v.Annotations["pv.kubernetes.io/provisioned-by"] != provisioner || v.Status.Phase != corev1.VolumeReleased ||
		v.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete || v.DeletionTimestamp != nil {
		return nil
	}
	return s.client.CoreV1().PersistentVolumes().Delete(ctx, v.Name, metav1.DeleteOptions{})
}

func (s *standIn) service(ctx context.Context, v *corev1.Service) error {
	var want []corev1.LoadBalancerIngress
	if ip := v.Annotations[addressWord]; ip != "" && v.Spec.Type == corev1.ServiceTypeLoadBalancer {
		mode := corev1.LoadBalancerIPModeVIP
		want = []corev1.LoadBalancerIngress{{IP: ip, IPMode: &mode}}
	}
	if equality.Semantic.DeepEqual(v.Status.LoadBalancer.Ingress, want) {
		return nil
	}
	v = v.DeepCopy()
	v.Status.LoadBalancer.Ingress = want
	_, err := s.client.CoreV1().Services(v.Namespace).UpdateStatus(ctx, v, metav1.UpdateOptions{})
	return err
}

func (s *standIn) ingress(ctx context.Context, v *networkingv1.Ingress) error {
	var want []networkingv1.IngressLoadBalancerIngress
	if ip := v.Annotations[addressWord]; ip != "" {
		want = []networkingv1.IngressLoadBalancerIngress{{IP: ip}}
	}
	if equality.Semantic.DeepEqual(v.Status.LoadBalancer.Ingress, want) {
		return nil
	}
	v = v.DeepCopy()
	v.Status.LoadBalancer.Ingress = want
	_, err := s.client.NetworkingV1().Ingresses(v.Namespace).UpdateStatus(ctx, v, metav1.UpdateOptions{})
	return err
}
